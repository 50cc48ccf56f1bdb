import * as sys from 'native:sys'
import { Fault } from '../native/ts/fault.ts'

/** Where containerd's own shims put their sockets, and where its clean-up looks for nothing else (containerd defaults, DefaultStateDir). */
export const defaultSocketDir = '/run/containerd/s'

/** sun_path is 108 bytes with its NUL (unix(7)). */
const socketPathLimit = 107

/** Two digits a byte. */
export function hex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

/**
 * The socket of a sandbox's shim. The name is the SHA-256 of everything that tells two sandboxes on
 * a host apart: containerd's address (several daemons may run), namespace and sandbox id.
 */
export function socketPath(socketDir: string, containerdAddress: string, namespace: string, sandboxId: string): string {
  const key = `${containerdAddress}/${namespace}/${sandboxId}`
  const path = `${socketDir}/${hex(sys.sha256(sys.utf8Encode(key)))}`
  if (sys.utf8Encode(path).length > socketPathLimit) {
    throw new Fault(`socket path ${path} is longer than ${socketPathLimit} bytes`, { fix: "shorten containerd's shim socket directory" })
  }
  return path
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Removes `unix://`: the path of an address that containerd gave or gets. */
export function pathOfAddress(address: string): string {
  return address.startsWith('unix://') ? address.slice('unix://'.length) : address
}

/** Where the state of all sandboxes is. */
export const stateRoot = '/run/kata-ts'

/** Holds the state of one sandbox; made with mode 0700 by `start`, removed with the sandbox. */
export function stateDir(root: string, namespace: string, sandboxId: string): string {
  return `${root}/${namespace}/${sandboxId}`
}
