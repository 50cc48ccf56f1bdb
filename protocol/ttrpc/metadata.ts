import type { KeyValue } from '../gen/ttrpc.ts'

/** A call's key/value pairs. Keys are lower case; one may have several values. */
export type Metadata = ReadonlyMap<string, readonly string[]>

/** As a caller gives it. */
export type MetadataFields = Readonly<Record<string, string | readonly string[]>>

/** A pair for each value; keys in lower case, as in gRPC. */
export function encodeMetadata(fields: MetadataFields): KeyValue[] {
  return Object.entries(fields).flatMap(([key, values]) =>
    (typeof values === 'string' ? [values] : values).map(value => ({ key: key.toLowerCase(), value })))
}

/** Values by key in lower case; several of a key in their order. */
export function decodeMetadata(pairs: readonly KeyValue[]): Metadata {
  const metadata = new Map<string, string[]>()
  for (const { key, value } of pairs) {
    const name = key.toLowerCase()
    const values = metadata.get(name)
    if (values) values.push(value)
    else metadata.set(name, [value])
  }
  return metadata
}
