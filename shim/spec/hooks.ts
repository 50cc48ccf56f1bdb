import { Fault } from '../../native/ts/fault.ts'
import type { Hook, Hooks } from '../../protocol/oci/hooks.ts'

/** Hooks that the shim runs on the host, by the moment of the OCI lifecycle at which they run (config.md, "POSIX-platform Hooks"). */
export interface HostHooks {
  /** After the namespaces are made, before pivot_root: `prestart` (deprecated), then `createRuntime`. */
  create: Hook[]
  /** After the process was started. */
  poststart: Hook[]
  /** After the container was deleted. */
  poststop: Hook[]
}

/** The hooks whose path is resolved on the host. */
export function hostHooks(hooks: Hooks | undefined): HostHooks {
  return {
    create: [...hooks?.prestart ?? [], ...hooks?.createRuntime ?? []],
    poststart: [...hooks?.poststart ?? []],
    poststop: [...hooks?.poststop ?? []],
  }
}

/**
 * The hooks that go to the guest: `startContainer`, whose path is resolved in the container.
 * `createContainer` has its path on the host and runs in the container's namespaces, which lie in
 * another kernel: refused (Fault).
 */
export function guestHooks(hooks: Hooks | undefined): Hooks | undefined {
  const [refused] = hooks?.createContainer ?? []
  if (refused) {
    throw new Fault(`createContainer hook ${refused.path} is a host program for namespaces that lie in the guest`, {
      fix: 'use a createRuntime hook (host) or a startContainer hook (container)',
    })
  }
  return hooks?.startContainer?.length ? { startContainer: hooks.startContainer } : undefined
}
