/** Where a client or server puts its bytes: a connected, ordered byte stream. */
export interface Transport {
  /** Sends `bytes` after all earlier ones, or drops them when the connection is gone. Does not throw. */
  write(bytes: Uint8Array): void
  /** Ends the connection at once; idempotent. */
  close(): void
}

/** What a client or server wants to be told by whoever reads the connection. */
export interface Receiver {
  /** `bytes` are the receiver's to keep. */
  receive(bytes: Uint8Array): void
  /** The connection ended: with an error, or in order. */
  ended(error: Error | undefined): void
}

/** A transport that also calls back; native/ts/connection.ts is one. */
export interface Connection extends Transport {
  onData(receive: (bytes: Uint8Array) => void): void
  onClose(closed: (error: Error | undefined) => void): void
}

/** Gives what arrives on `connection` to `receiver`. */
export function attach<R extends Receiver>(connection: Connection, receiver: R): R {
  connection.onData(bytes => receiver.receive(bytes))
  connection.onClose(error => receiver.ended(error))
  return receiver
}
