import * as sys from 'native:sys'
import { check } from '../../native/ts/errno.ts'
import type { Fd } from '../../native/ts/fd.ts'

/** vsock port on which the agent takes stream connections. */
export const streamPort = 1025

const magic = 'KTSTREAM'

/** The 16 bytes that open a stream connection: eight of ASCII, then the stream's id as u64 LE. */
export function streamHeader(id: bigint): Uint8Array {
  const header = new Uint8Array(16)
  for (let at = 0; at < magic.length; at++) header[at] = magic.charCodeAt(at)
  new DataView(header.buffer).setBigUint64(8, id, true)
  return header
}

/** Opens a guest port: the hypervisor's `connect`. */
export type Dial = (port: number) => Promise<Fd>

/** A connection to the agent's end of stream `id`; the caller owns it. Rejects with SysError. */
export async function connectStream(dial: Dial, id: bigint): Promise<Fd> {
  const connection = await dial(streamPort)
  try {
    const header = streamHeader(id)
    // Sixteen bytes always fit into a new socket's buffer: a short write is an error, not a state.
    check('send', connection.what, sys.send(connection.number, header, 0, header.length, 0))
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}
