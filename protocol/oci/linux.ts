import { absolutePath, both, type Check, distinct, flag, int64, list, matching, needed, oneOf, type Place, type Problems, record, show, table, text, uint32, whole } from './check.ts'
import { type LinuxResources, resources } from './resources.ts'
import { type LinuxSeccomp, seccomp } from './seccomp.ts'

/** The part of a spec that only Linux has (config-linux.md). */
export interface Linux {
  uidMappings?: LinuxIdMapping[]
  gidMappings?: LinuxIdMapping[]
  sysctl?: Record<string, string>
  resources?: LinuxResources
  /** From the cgroup mount when absolute, else the runtime's choice where from. `slice:prefix:name` with systemd. */
  cgroupsPath?: string
  namespaces?: LinuxNamespace[]
  devices?: LinuxDevice[]
  seccomp?: LinuxSeccomp
  rootfsPropagation?: string
  maskedPaths?: string[]
  readonlyPaths?: string[]
  mountLabel?: string
  intelRdt?: LinuxIntelRdt
  personality?: LinuxPersonality
  /** Of a new time namespace: by the names of clocks. */
  timeOffsets?: Record<string, LinuxTimeOffset>
}

/** A namespace to make, or with `path` to join (config-linux.md#namespaces). */
export interface LinuxNamespace {
  type: NamespaceType
  path?: string
}

export const namespaceTypes = ['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'] as const
export type NamespaceType = (typeof namespaceTypes)[number]

/** `size` ids from `containerID` inside are those from `hostID` outside. */
export interface LinuxIdMapping {
  containerID: number
  hostID: number
  size: number
}

/** A device node to make (config-linux.md#devices). */
export interface LinuxDevice {
  path: string
  /** c, u (the same, unbuffered), b, or p for a FIFO. */
  type: string
  /** Meaningless for p, where some clients leave it out. */
  major?: number
  minor?: number
  /** Permission bits; absent: 0666. */
  fileMode?: number
  uid?: number
  gid?: number
}

export interface LinuxIntelRdt {
  closID?: string
  l3CacheSchema?: string
  memBwSchema?: string
  enableCMT?: boolean
  enableMBM?: boolean
}

export interface LinuxPersonality {
  /** LINUX or LINUX32. */
  domain: string
  flags?: string[]
}

export interface LinuxTimeOffset {
  secs?: number
  nanosecs?: number
}

const idMappings = list(record<LinuxIdMapping>(() => ({ containerID: needed(uint32), hostID: needed(uint32), size: needed(whole(1, 2 ** 32 - 1)) })))

/** Checks `uidMappings` and `gidMappings`, here and of a mount (config-linux.md#user-namespace-mappings). */
export const mappings: Check = idMappings

const namespace = record<LinuxNamespace>(() => ({
  type: needed(oneOf(namespaceTypes, 'config-linux.md#namespaces')),
  path: matching(/^($|\/)/, 'an absolute path', 'config-linux.md#namespaces'),
}))

const device = record<LinuxDevice>(() => ({
  path: needed(absolutePath),
  type: needed(oneOf(['c', 'b', 'u', 'p'], 'config-linux.md#devices')),
  major: int64,
  minor: int64,
  fileMode: uint32,
  uid: uint32,
  gid: uint32,
}), (node, place, problems) => {
  for (const key of ['major', 'minor'] as const) {
    const number = node[key]
    if (number === undefined ? node.type !== 'p' : number < 0) {
      problems.report({ holder: place, key }, `${number === undefined ? 'missing' : number}; a device of type ${node.type} needs its number`, 'config-linux.md#devices')
    }
  }
})

/**
 * Without a namespace of their own, mappings and offsets would be the machine's. A joined one may come with mappings:
 * containers of a Kubernetes pod with `hostUsers: false` repeat those of the namespace they join.
 */
function judgeLinux(linux: Linux, place: Place, problems: Problems): void {
  const types = new Set(linux.namespaces?.map(one => one.type))
  const needs = (key: keyof Linux, type: NamespaceType, section: string) => {
    if (!types.has(type)) problems.report({ holder: place, key }, `given, but namespaces has no ${type} namespace`, section)
  }
  if (linux.uidMappings?.length) needs('uidMappings', 'user', 'config-linux.md#user-namespace-mappings')
  if (linux.gidMappings?.length) needs('gidMappings', 'user', 'config-linux.md#user-namespace-mappings')
  judgeTimeOffsets(linux, { holder: place, key: 'timeOffsets' }, problems)
}

/** A time namespace takes its offsets while nobody is in it (time_namespaces(7)): only a new one, and only for these clocks. */
function judgeTimeOffsets({ namespaces = [], timeOffsets = {} }: Linux, place: Place, problems: Problems): void {
  const clocks = Object.keys(timeOffsets)
  if (clocks.length === 0) return
  const section = 'config-linux.md#offset-for-time-namespace'
  const namespace = namespaces.find(({ type }) => type === 'time')
  if (!namespace) problems.report(place, 'given, but namespaces has no time namespace', section)
  else if (namespace.path) problems.report(place, `given, but the time namespace ${show(namespace.path)} is there already`, section)
  for (const clock of clocks) {
    if (clock !== 'monotonic' && clock !== 'boottime') problems.report({ holder: place, key: clock }, 'is no clock with an offset; monotonic and boottime are', section)
  }
}

/** Checks `linux` (config-linux.md). */
export const linux: Check = record<Linux>(() => ({
  uidMappings: idMappings,
  gidMappings: idMappings,
  sysctl: table(text),
  resources,
  cgroupsPath: text,
  namespaces: both(list(namespace), distinct<LinuxNamespace>(one => one.type, 'config-linux.md#namespaces')),
  devices: list(device),
  seccomp,
  rootfsPropagation: oneOf(['', 'shared', 'rshared', 'slave', 'rslave', 'private', 'rprivate', 'unbindable', 'runbindable'], 'config-linux.md#rootfs-mount-propagation'),
  maskedPaths: list(absolutePath),
  readonlyPaths: list(absolutePath),
  mountLabel: text,
  intelRdt: record<LinuxIntelRdt>(() => ({ closID: text, l3CacheSchema: text, memBwSchema: text, enableCMT: flag, enableMBM: flag })),
  personality: record<LinuxPersonality>(() => ({ domain: needed(oneOf(['LINUX', 'LINUX32'], 'config-linux.md#personality')), flags: list(text) })),
  timeOffsets: table(record<LinuxTimeOffset>(() => ({ secs: int64, nanosecs: whole(0, 999_999_999) }))),
}), judgeLinux)
