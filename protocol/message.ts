import { Code, RpcError } from './ttrpc/status.ts'

/** What protocol/gen has for each message: its codec. */
export interface MessageType<T> {
  encode(message: T): { finish(): Uint8Array }
  decode(bytes: Uint8Array): T
}

/** The message that a codec is for. */
export type MessageOf<Type> = Type extends { decode(bytes: Uint8Array): infer T } ? T : never

const nothing = new Uint8Array(0)

/** A complete message: `fields`, and proto3's zero value for each field left out. */
export function message<T extends object>(type: MessageType<T>, fields: Partial<T>): T {
  return Object.assign(type.decode(nothing), fields)
}

/**
 * A message's bytes; fields left out have proto3's zero value, which takes none. Throws RpcError(Internal) for a number
 * that its field cannot hold.
 */
export function encode<T extends object>(type: MessageType<T>, fields: Partial<T>): Uint8Array {
  try {
    return type.encode(fields as T).finish() // a codec passes over what is undefined
  } catch (error) {
    throw new RpcError(Code.Internal, `message cannot be encoded: ${reasonOf(error)}`, { cause: error })
  }
}

/** The message in `bytes`. Byte fields share their memory. Throws RpcError(InvalidArgument), and nothing else, when malformed. */
export function decode<T>(type: MessageType<T>, bytes: Uint8Array): T {
  try {
    return type.decode(bytes)
  } catch (error) {
    throw new RpcError(Code.InvalidArgument, `malformed protobuf message: ${reasonOf(error)}`, { cause: error })
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
