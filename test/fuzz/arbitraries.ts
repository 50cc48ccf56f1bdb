/** What several fuzzers feed. */
import fc from 'fast-check'

export const anyBytes = fc.uint8Array({ maxLength: 400 })

/** Bytes that were right until some were changed, removed or repeated: they reach deeper than random ones. */
export function mutated(originals: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const change = fc.record({ at: fc.nat(), kind: fc.constantFrom('set', 'cut', 'repeat', 'end'), byte: fc.nat(255) })
  return fc.record({ original: fc.constantFrom(...originals), changes: fc.array(change, { maxLength: 6 }) }).map(({ original, changes }) => {
    const bytes = [...original]
    for (const { at, kind, byte } of changes) {
      const i = bytes.length === 0 ? 0 : at % bytes.length
      if (kind === 'set') bytes[i] = byte
      else if (kind === 'cut') bytes.splice(i, 1 + byte % 8)
      else if (kind === 'end') bytes.length = i
      else bytes.splice(i, 0, ...bytes.slice(i, i + 1 + byte % 32))
    }
    return Uint8Array.from(bytes)
  })
}

/** The same for text, by characters. */
export function mutatedText(originals: readonly string[], alphabet: string): fc.Arbitrary<string> {
  const change = fc.record({ at: fc.nat(), kind: fc.constantFrom('put', 'cut', 'repeat', 'end'), length: fc.nat(40), text: fc.oneof(fc.constantFrom(...alphabet), fc.string({ maxLength: 4, unit: 'binary' })) })
  return fc.record({ original: fc.constantFrom(...originals), changes: fc.array(change, { maxLength: 6 }) }).map(({ original, changes }) => {
    let result = original
    for (const { at, kind, length, text } of changes) {
      const i = result.length === 0 ? 0 : at % result.length
      if (kind === 'put') result = result.slice(0, i) + text + result.slice(i)
      else if (kind === 'cut') result = result.slice(0, i) + result.slice(i + 1 + length)
      else if (kind === 'end') result = result.slice(0, i)
      else result = result.slice(0, i + length) + result.slice(i)
    }
    return result
  })
}

/** Any JSON value whose keys are among `keys`. */
export function tree(keys: readonly string[]): fc.Arbitrary<unknown> {
  return fc.letrec<{ value: unknown }>(tie => ({
    value: fc.oneof({ maxDepth: 5 }, fc.constantFrom(null, true, 0, -1, 1.5, 2 ** 70, 'a', '/', ''), fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(fc.constantFrom(...keys), tie('value'), { maxKeys: 5 })),
  })).value
}

/** Where a value stands in a document. */
export type Path = readonly (string | number)[]

export function pathsOf(value: unknown, path: Path = []): Path[] {
  const inside = Array.isArray(value)
    ? value.flatMap((item, index) => pathsOf(item, [...path, index]))
    : typeof value === 'object' && value !== null ? Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...path, key])) : []
  return path.length === 0 ? inside : [path, ...inside]
}

/** A copy of `document` with another value at `path`. */
export function replaced(document: unknown, path: Path, value: unknown): unknown {
  const copy = structuredClone(document)
  const holder = path.slice(0, -1).reduce((at, key) => (at as Record<string | number, unknown>)[key], copy) as Record<string | number, unknown> // the path was found in it
  holder[path.at(-1) ?? ''] = value
  return copy
}

/** Runs `use`; only errors of `allowed` may come out. Gives what it gave, or undefined. */
export function throwsOnly<Result>(allowed: new (...args: never[]) => Error, use: () => Result): Result | undefined {
  try {
    return use()
  } catch (error) {
    if (!(error instanceof allowed)) throw error
    return undefined
  }
}
