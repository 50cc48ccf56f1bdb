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

/**
 * Programs that enter the namespaces of the process they are told of, to mount drivers and make device nodes there. That
 * process is the VMM: what they do there reaches no container, and they would say that all went well.
 */
const enteringPrograms = /^(nvidia-|oci-nvidia-|habana-|amd-c|oci-systemd-hook)/

/** Throws Fault for a hook of which it is known that it cannot work from outside the guest. */
function refuseEntering(hooks: readonly Hook[]): void {
  const refused = hooks.find(({ path, args = [] }) => [path, args[0] ?? ''].some(name => enteringPrograms.test(name.slice(name.lastIndexOf('/') + 1))))
  if (!refused) return
  throw new Fault(`hook ${refused.path} prepares devices of the host in the container's namespaces, which lie in a guest with its own kernel`, {
    fix: 'run the container without these devices, or with another runtime',
  })
}

/** The hooks whose path is resolved on the host. Throws Fault for one that would have to enter the container. */
export function hostHooks(hooks: Hooks | undefined): HostHooks {
  refuseEntering([...hooks?.prestart ?? [], ...hooks?.createRuntime ?? [], ...hooks?.poststart ?? []])
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
