import { Fault } from '../../native/ts/fault.ts'
import type { Linux } from '../../protocol/oci/linux.ts'
import type { Mount } from '../../protocol/oci/spec.ts'
import { mappingsOfMount, type MountMappings, withoutMappings } from './id-mappings.ts'

/** Brings `source` of the host into the guest; gives its path there. Read-only is enforced, and ids are mapped, on the host. */
export type BindToGuest = (source: string, options: { readonly: boolean; readonlyBelow: boolean; recursive: boolean; follow: boolean; idMappings?: MountMappings }) => string

/** The guest's path of a bind mount's source that lives in the guest's memory; undefined for one that the host shares. */
export type GuestPathOf = (source: string, destination: string, idMappings: MountMappings | undefined) => string | undefined

/** Where bind mounts' sources go. */
export interface BindSources {
  bind: BindToGuest
  guestPath: GuestPathOf
  /** Whether the host has mounts below what `bind` gave this path to. */
  hasMountsBelow: (path: string) => boolean
}

/** Host file systems that mean the host's kernel: bound into a container they would show another kernel's state. */
const kernelPaths = ['/proc', '/sys'] as const

function isBelow(path: string, top: string): boolean {
  return path === top || path.startsWith(`${top}/`)
}

/** Whether the mount binds a host path (config.md, "Mounts": type `bind`, or the option). */
export function isBind(mount: Mount): boolean {
  return mount.type === 'bind' || (mount.options ?? []).some(option => option === 'bind' || option === 'rbind')
}

/** `ro` is the mount's own, `rro` also of everything below it. */
function readonlyness(options: readonly string[]): { readonly: boolean; readonlyBelow: boolean } {
  // The last word wins, as with mount(8).
  const word = options.filter(option => ['ro', 'rw', 'rro', 'rrw'].includes(option)).at(-1)
  return { readonly: word === 'ro' || word === 'rro', readonlyBelow: word === 'rro' }
}

/**
 * Mounts for the guest, in the same order. Kernel file systems and tmpfs are the guest's; a bind mount's
 * source is brought into the share. Throws Fault for a source that cannot be shared.
 */
export function rewriteMounts(mounts: readonly Mount[], sources: BindSources, linux?: Linux): Mount[] {
  return mounts.map(mount => isBind(mount) ? rewriteBind(withoutMappings(mount), mappingsOfMount(mount, linux), sources) : mount)
}

function rewriteBind(mount: Mount, idMappings: MountMappings | undefined, { bind, guestPath, hasMountsBelow }: BindSources): Mount {
  const { destination, source = '', options = [] } = mount
  if (!source.startsWith('/')) throw new Fault(`bind mount at ${destination} has no absolute source (${JSON.stringify(source)})`)
  const kernelPath = kernelPaths.find(path => isBelow(source, path))
  if (kernelPath) {
    // The same path of the guest's kernel is what a privileged container means by it.
    if (source === destination) return mount
    throw new Fault(`bind mount of ${source} at ${destination} would show the host's kernel`, { fix: `mount the guest's own ${kernelPath}` })
  }
  const shared = options.find(option => option === 'shared' || option === 'rshared')
  if (shared) {
    throw new Fault(`bind mount of ${source} at ${destination} is ${shared}: mounts made in a microVM cannot reach the host`, {
      fix: 'use mountPropagation None or HostToContainer instead of Bidirectional',
    })
  }
  const inGuest = guestPath(source, destination, idMappings)
  if (inGuest !== undefined) return { ...mount, source: inGuest }
  const recursive = options.includes('rbind')
  const follow = options.some(option => option === 'slave' || option === 'rslave')
  const readonly = readonlyness(options)
  const path = bind(source, { ...readonly, recursive, follow, ...idMappings && { idMappings } })
  // A mount of the host becomes one of the guest when somebody goes there, and takes over what its parent there is
  // (fs/namespace.c, finish_automount). So the parent is read-only on the host alone, where it is enforced anyway.
  const onHostAlone = readonly.readonly && !readonly.readonlyBelow && recursive && hasMountsBelow(path)
  return { ...mount, source: path, ...onHostAlone && { options: options.filter(option => option !== 'ro') } }
}
