import {
  MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY, MOUNT_ATTR_RELATIME, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE,
} from '../../../native/ts/constants/mount.ts'
import type { IdMappings } from '../../../native/ts/user-namespace.ts'
import {
  type AttributeOption, idMapOptions, meaninglessOptions, type PropagationOption, superblockOptions,
} from '../../../protocol/oci/mount-options.ts'
import type { Mount } from '../../../protocol/oci/spec.ts'
import type { IdMap } from './id-maps.ts'

/** Attributes for mount_setattr(2): `clear` is taken away first. */
export interface Attributes {
  set: number
  clear: number
}

export interface MountPlan {
  destination: string
  /** A file system type, or the source bound as it is, with or without what is mounted below it. */
  kind: 'filesystem' | 'bind' | 'rbind'
  type: string
  source: string
  /** Of this mount, and of everything below it (`rro` and its kin). */
  attributes: Attributes
  recursiveAttributes: Attributes
  /** In order: MS_PRIVATE and its kin, of this mount or of everything below too. */
  propagation: { flag: number; recursive: boolean }[]
  /** Of the superblock: fsconfig(2) flags and key=value. */
  flags: string[]
  data: string[]
  /** tmpfs: starts with what the image has there. */
  copyUp: boolean
  remount: boolean
  /** Whose ids its files have, if not those on disk: those of `mappings`, or without them the container's. `recursive`: below it, too. */
  idMapping: { mappings: IdMappings | undefined; recursive: boolean } | undefined
  /** What was opened for `idMapping` (openIdMaps). */
  idMap?: IdMap
}

/** Option → attribute, and whether it sets or clears it (config.md#mounts, mount(8)). */
const attributes: Readonly<Record<AttributeOption, Attributes>> = {
  ro: { set: MOUNT_ATTR_RDONLY, clear: 0 },
  rw: { set: 0, clear: MOUNT_ATTR_RDONLY },
  nosuid: { set: MOUNT_ATTR_NOSUID, clear: 0 },
  suid: { set: 0, clear: MOUNT_ATTR_NOSUID },
  nodev: { set: MOUNT_ATTR_NODEV, clear: 0 },
  dev: { set: 0, clear: MOUNT_ATTR_NODEV },
  noexec: { set: MOUNT_ATTR_NOEXEC, clear: 0 },
  exec: { set: 0, clear: MOUNT_ATTR_NOEXEC },
  nosymfollow: { set: MOUNT_ATTR_NOSYMFOLLOW, clear: 0 },
  symfollow: { set: 0, clear: MOUNT_ATTR_NOSYMFOLLOW },
  nodiratime: { set: MOUNT_ATTR_NODIRATIME, clear: 0 },
  diratime: { set: 0, clear: MOUNT_ATTR_NODIRATIME },
  // The access-time modes exclude each other, and the kernel wants the field cleared to change it.
  relatime: { set: MOUNT_ATTR_RELATIME, clear: MOUNT_ATTR__ATIME },
  noatime: { set: MOUNT_ATTR_NOATIME, clear: MOUNT_ATTR__ATIME },
  strictatime: { set: MOUNT_ATTR_STRICTATIME, clear: MOUNT_ATTR__ATIME },
  atime: { set: MOUNT_ATTR_RELATIME, clear: MOUNT_ATTR__ATIME },
  // As mount(8) has it: without any mode the kernel's default is relatime again.
  norelatime: { set: 0, clear: 0 },
  nostrictatime: { set: MOUNT_ATTR_RELATIME, clear: MOUNT_ATTR__ATIME },
}

const propagations: Readonly<Record<PropagationOption, { flag: number; recursive: boolean }>> = {
  private: { flag: MS_PRIVATE, recursive: false },
  rprivate: { flag: MS_PRIVATE, recursive: true },
  shared: { flag: MS_SHARED, recursive: false },
  rshared: { flag: MS_SHARED, recursive: true },
  slave: { flag: MS_SLAVE, recursive: false },
  rslave: { flag: MS_SLAVE, recursive: true },
  unbindable: { flag: MS_UNBINDABLE, recursive: false },
  runbindable: { flag: MS_UNBINDABLE, recursive: true },
}

const superblockFlags: ReadonlySet<string> = new Set(superblockOptions)
const ignored: ReadonlySet<string> = new Set([...meaninglessOptions, ...idMapOptions])

/** Reads a mount's options, in order: of two that contradict each other the last one counts. Relative sources count from `bundle`. */
export function planMount(mount: Mount, bundle: string): MountPlan {
  const plan: MountPlan = {
    destination: mount.destination, kind: mount.type === 'bind' ? 'rbind' : 'filesystem', type: mount.type ?? 'none', source: mount.source ?? '',
    attributes: { set: 0, clear: 0 }, recursiveAttributes: { set: 0, clear: 0 }, propagation: [], flags: [], data: [],
    copyUp: false, remount: false, idMapping: idMappingOf(mount),
  }
  const options = mount.options ?? []
  if (plan.kind === 'rbind' && options.includes('bind') && !options.includes('rbind')) plan.kind = 'bind'
  for (const option of options) applyOption(plan, option)
  if (plan.kind !== 'filesystem' && !plan.source.startsWith('/')) plan.source = `${bundle}/${plan.source}`
  return plan
}

function idMappingOf({ uidMappings, gidMappings, options = [] }: Mount): MountPlan['idMapping'] {
  const mappings = uidMappings && gidMappings && { uids: uidMappings, gids: gidMappings }
  if (!mappings && !options.some(isIdMapOption)) return undefined
  return { mappings, recursive: options.findLast(isIdMapOption) === 'ridmap' }
}

function isIdMapOption(option: string): boolean {
  return idMapOptions.some(name => name === option)
}

function applyOption(plan: MountPlan, option: string): void {
  const attribute = named(attributes, option)
  const recursive = option.startsWith('r') ? named(attributes, option.slice(1)) : undefined
  const propagation = named(propagations, option)
  if (option === 'bind' || option === 'rbind') plan.kind = plan.kind === 'rbind' ? plan.kind : option
  else if (attribute) add(plan.attributes, attribute)
  else if (propagation) plan.propagation.push(propagation)
  else if (recursive) add(plan.recursiveAttributes, recursive)
  else if (superblockFlags.has(option)) plan.flags.push(option)
  else if (option === 'tmpcopyup') plan.copyUp = true
  else if (option === 'remount') plan.remount = true
  else if (!ignored.has(option) && option !== '') plan.data.push(option)
}

function named<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

/** A later option overrides an earlier one: what is set now is no longer to be cleared, and the other way round. */
function add(to: Attributes, next: Attributes): void {
  to.set = (to.set & ~next.clear) | next.set
  to.clear = (to.clear & ~next.set) | next.clear
}

/** `rootfsPropagation` of the spec (config-linux.md#rootfs-mount-propagation); undefined: not given. */
export function rootPropagation(name: string | undefined): { flag: number; recursive: boolean } | undefined {
  return name === undefined ? undefined : named(propagations, name)
}
