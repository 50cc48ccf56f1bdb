/** Bytes of a stream connection's header. */
export const headerBytes = 16

const magic = 'KTSTREAM'

/**
 * The stream id that a connection's header names; undefined when it is no header of ours.
 *
 *   0        8                16
 *   │KTSTREAM│ id, u64 LE, > 0 │ the stream's bytes …
 */
export function parseHeader(header: Uint8Array): bigint | undefined {
  if (header.length !== headerBytes) return undefined
  for (let at = 0; at < magic.length; at++) if (header[at] !== magic.charCodeAt(at)) return undefined
  const id = new DataView(header.buffer, header.byteOffset, header.byteLength).getBigUint64(magic.length, true)
  return id === 0n ? undefined : id
}
