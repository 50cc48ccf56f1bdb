import { Fault } from '../../../native/ts/fault.ts'
import type { Value } from '../../../protocol/dbus/value.ts'
import type { Property } from './units.ts'

const prefix = 'org.systemd.property.'

/** D-Bus types by GVariant's names for them (GLib, "GVariant Text Format"). */
const signatures: Readonly<Record<string, string>> = { boolean: 'b', byte: 'y', int16: 'n', uint16: 'q', int32: 'i', uint32: 'u', int64: 'x', uint64: 't', double: 'd', string: 's', objectpath: 'o', signature: 'g' }
const usecPerSec = 1_000_000

/** Annotations `org.systemd.property.NAME: value` (runc's docs/systemd.md): podman sets the stop signal and its time with them. */
export function annotatedProperties(annotations: Readonly<Record<string, string>> = {}): Property[] {
  return Object.entries(annotations).filter(([key]) => key.startsWith(prefix)).map(([key, text]) => {
    const name = key.slice(prefix.length)
    const { signature, value } = variant(text) ?? {}
    if (!/^[A-Za-z]{3,}$/.test(name) || !signature || value === undefined) {
      throw new Fault(`annotation ${key}: ${JSON.stringify(text)} is no property of a unit`, { fix: 'values are written as in: \'text\', true, uint64 5000, [\'a\', \'b\']' })
    }
    // D-Bus has times in microseconds only; unit files have them in seconds.
    if (/[a-z]Sec$/.test(name) && 'nquixtd'.includes(signature)) return { name: name.replace(/Sec$/, 'USec'), signature: 't', value: BigInt(Math.round(Number(value) * usecPerSec)) }
    return { name, signature, value }
  })
}

/** Of GVariant's text the scalars and lists of strings. */
function variant(text: string): { signature: string; value: Value } | undefined {
  const list = /^\[\s*((?:'[^']*'|"[^"]*")(?:\s*,\s*(?:'[^']*'|"[^"]*"))*)\s*\]$/.exec(text.trim())?.[1]
  if (list !== undefined) return { signature: 'as', value: [...list.matchAll(/'([^']*)'|"([^"]*)"/g)].map(([, single, double]) => single ?? double ?? '') }
  const [, type, word = ''] = /^(?:([a-z][a-z0-9]*)\s+)?('[^']*'|"[^"]*"|true|false|[+-]?[0-9][0-9a-fA-Fx.]*)$/.exec(text.trim()) ?? []
  if (word === '') return undefined
  if (/^['"]/.test(word)) return { signature: signatures[type ?? 'string'] ?? '', value: word.slice(1, -1) }
  if (word === 'true' || word === 'false') return { signature: signatures[type ?? 'boolean'] ?? '', value: word === 'true' }
  const signature = signatures[type ?? (word.includes('.') ? 'double' : 'int32')] ?? ''
  if (Number.isNaN(Number(word))) return undefined
  return { signature, value: signature === 'x' || signature === 't' ? BigInt(word) : Number(word) }
}
