/** D-Bus values in bytes, little-endian (D-Bus Specification, "Marshalling"). */
import { alignmentOf, depthMax, typesOf } from './signature.ts'

/** 64-bit numbers are bigint; arrays, structs and dictionary entries are lists. */
export type Value = string | number | bigint | boolean | Variant | readonly Value[]

/** A value that brings its type along. */
export interface Variant {
  signature: string
  value: Value
}

/** Numbers of a fixed size, and how a DataView writes and reads them. */
const numbers = {
  y: { size: 1, write: (view, at, value) => view.setUint8(at, Number(value)), read: (view, at) => view.getUint8(at) },
  n: { size: 2, write: (view, at, value) => view.setInt16(at, Number(value), true), read: (view, at) => view.getInt16(at, true) },
  q: { size: 2, write: (view, at, value) => view.setUint16(at, Number(value), true), read: (view, at) => view.getUint16(at, true) },
  i: { size: 4, write: (view, at, value) => view.setInt32(at, Number(value), true), read: (view, at) => view.getInt32(at, true) },
  u: { size: 4, write: (view, at, value) => view.setUint32(at, Number(value), true), read: (view, at) => view.getUint32(at, true) },
  h: { size: 4, write: (view, at, value) => view.setUint32(at, Number(value), true), read: (view, at) => view.getUint32(at, true) },
  b: { size: 4, write: (view, at, value) => view.setUint32(at, value ? 1 : 0, true), read: (view, at) => view.getUint32(at, true) === 1 },
  x: { size: 8, write: (view, at, value) => view.setBigInt64(at, BigInt(value as bigint), true), read: (view, at) => view.getBigInt64(at, true) }, // numbers are taken too
  t: { size: 8, write: (view, at, value) => view.setBigUint64(at, BigInt(value as bigint), true), read: (view, at) => view.getBigUint64(at, true) }, // as above
  d: { size: 8, write: (view, at, value) => view.setFloat64(at, Number(value), true), read: (view, at) => view.getFloat64(at, true) },
} satisfies Record<string, { size: number; write: (view: DataView, at: number, value: Value) => void; read: (view: DataView, at: number) => Value }>

const numberOf = (type: string) => (Object.hasOwn(numbers, type) ? numbers[type as keyof typeof numbers] : undefined) // has it
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8')

export class Writer {
  readonly bytes: number[] = []

  align(to: number): void {
    while (this.bytes.length % to !== 0) this.bytes.push(0)
  }

  /** A row of values, each of the type at its place in `signature`. */
  row(signature: string, values: readonly Value[]): this {
    for (const [index, type] of typesOf(signature).entries()) this.value(type, values[index] ?? '')
    return this
  }

  value(type: string, value: Value): void {
    this.align(alignmentOf(type))
    const fixed = numberOf(type)
    if (fixed) {
      const bytes = new Uint8Array(fixed.size)
      fixed.write(new DataView(bytes.buffer), 0, value)
      this.bytes.push(...bytes)
    } else if (type === 's' || type === 'o') this.#text('u', value as string) // the signature says so
    else if (type === 'g') this.#text('y', value as string) // the signature says so
    else if (type === 'v') {
      const { signature, value: held } = value as Variant // the signature says so
      this.value('g', signature)
      this.value(signature, held)
    } else if (type.startsWith('a')) this.#array(type.slice(1), value as readonly Value[]) // the signature says so
    else this.row(type.slice(1, -1), value as readonly Value[]) // a struct or a dictionary's entry
  }

  #text(lengthType: 'u' | 'y', text: string): void {
    const bytes = encoder.encode(text)
    this.value(lengthType, bytes.length)
    this.bytes.push(...bytes, 0)
  }

  /** The length counts the elements, not the padding before the first. */
  #array(element: string, values: readonly Value[]): void {
    const lengthAt = this.bytes.length
    this.value('u', 0)
    this.align(alignmentOf(element))
    const start = this.bytes.length
    for (const value of values) this.value(element, value)
    const length = new Writer()
    length.value('u', this.bytes.length - start)
    this.bytes.splice(lengthAt, 4, ...length.bytes)
  }
}

/** Reads what Writer writes; every length is checked against the bytes there are. Throws RangeError and TypeError for what is no such thing. */
export class Reader {
  readonly #view: DataView

  constructor(readonly bytes: Uint8Array, public at = 0) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  align(to: number): void {
    this.at = Math.ceil(this.at / to) * to
  }

  row(signature: string, depth = 0): Value[] {
    return typesOf(signature).map(type => this.value(type, depth))
  }

  value(type: string, depth = 0): Value {
    if (depth > depthMax) throw new RangeError('a D-Bus value is nested too deep')
    this.align(alignmentOf(type))
    const fixed = numberOf(type)
    if (fixed) {
      this.at += fixed.size
      return fixed.read(this.#view, this.at - fixed.size) // a RangeError past the end
    }
    if (type === 's' || type === 'o') return this.#text(Number(this.value('u')))
    if (type === 'g') return this.#text(Number(this.value('y')))
    if (type === 'v') {
      const signature = String(this.value('g'))
      if (typesOf(signature).length !== 1) throw new TypeError(`a D-Bus variant has the signature ${JSON.stringify(signature)}`)
      return { signature, value: this.value(signature, depth + 1) }
    }
    return type.startsWith('a') ? this.#array(type.slice(1), depth) : this.row(type.slice(1, -1), depth + 1)
  }

  #text(length: number): string {
    const end = this.at + length
    if (end >= this.bytes.length) throw new RangeError(`a D-Bus text of ${length} bytes goes past the end of its message`)
    const text = decoder.decode(this.bytes.subarray(this.at, end))
    this.at = end + 1
    return text
  }

  #array(element: string, depth: number): Value[] {
    const length = Number(this.value('u'))
    this.align(alignmentOf(element))
    const end = this.at + length
    if (end > this.bytes.length) throw new RangeError(`a D-Bus array of ${length} bytes goes past the end of its message`)
    const values: Value[] = []
    while (this.at < end) values.push(this.value(element, depth + 1))
    return values
  }
}
