import { Fault } from '../../native/ts/fault.ts'
import type { Mount } from '../../protocol/oci/spec.ts'

/** Brings `source` of the host into the guest; gives its path there. Read-only is enforced on the host. */
export type BindToGuest = (source: string, options: { readonly: boolean; recursive: boolean }) => string

/** Host file systems that mean the host's kernel: bound into a container they would show another kernel's state. */
const kernelPaths = ['/proc', '/sys'] as const

function isBelow(path: string, top: string): boolean {
  return path === top || path.startsWith(`${top}/`)
}

/** Whether the mount binds a host path (config.md, "Mounts": type `bind`, or the option). */
export function isBind(mount: Mount): boolean {
  return mount.type === 'bind' || (mount.options ?? []).some(option => option === 'bind' || option === 'rbind')
}

/** A read-only mount, plain or recursive. */
function isReadonly(options: readonly string[]): boolean {
  // The last word wins, as with mount(8).
  return options.filter(option => ['ro', 'rw', 'rro', 'rrw'].includes(option)).at(-1)?.endsWith('ro') ?? false
}

/**
 * Mounts for the guest, in the same order. Kernel file systems and tmpfs are the guest's; a bind mount's
 * source is brought into the share. Throws Fault for a source that cannot be shared.
 */
export function rewriteMounts(mounts: readonly Mount[], bind: BindToGuest): Mount[] {
  return mounts.map(mount => isBind(mount) ? rewriteBind(mount, bind) : mount)
}

function rewriteBind(mount: Mount, bind: BindToGuest): Mount {
  const { destination, source = '', options = [] } = mount
  // The pod's /dev/shm is a tmpfs of the host: shared memory cannot cross kernels, so the guest has its own.
  if (destination === '/dev/shm') {
    return { destination, type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'] }
  }
  if (!source.startsWith('/')) throw new Fault(`bind mount at ${destination} has no absolute source (${JSON.stringify(source)})`)
  const kernelPath = kernelPaths.find(path => isBelow(source, path))
  if (kernelPath) {
    // The same path of the guest's kernel is what a privileged container means by it.
    if (source === destination) return mount
    throw new Fault(`bind mount of ${source} at ${destination} would show the host's kernel`, { fix: `mount the guest's own ${kernelPath}` })
  }
  const recursive = options.includes('rbind')
  return { ...mount, source: bind(source, { readonly: isReadonly(options), recursive }) }
}
