import { type Check, flag, list, matching, needed, type Place, type Problems, record, table, text } from './check.ts'
import { type Hooks, hooks } from './hooks.ts'
import { type Linux, type LinuxIdMapping, linux, mappings } from './linux.ts'
import { type Process, process } from './process.ts'

/**
 * A bundle's config.json, in its own names (config.md). Every number is a double: those above 2^53 are rounded, which
 * only limits that mean "none" reach.
 */
export interface Spec {
  ociVersion: string
  root?: Root
  process?: Process
  hostname?: string
  domainname?: string
  /** In the order they are mounted. */
  mounts?: Mount[]
  hooks?: Hooks
  annotations?: Record<string, string>
  linux?: Linux
}

export interface Root {
  /** Absolute, or from the bundle's directory. */
  path: string
  readonly?: boolean
}

/** A file system to mount over the root (config.md#mounts). */
export interface Mount {
  /** In the container; a relative one counts from its root. */
  destination: string
  type?: string
  source?: string
  options?: string[]
  uidMappings?: LinuxIdMapping[]
  gidMappings?: LinuxIdMapping[]
}

const mount = record<Mount>(() => ({
  destination: needed(matching(/./s, 'a path in the container'), 'give the path in the container to mount on'),
  type: text,
  source: text,
  options: list(text),
  uidMappings: mappings,
  gidMappings: mappings,
}), (one, place, problems) => {
  if ((one.uidMappings === undefined) !== (one.gidMappings === undefined)) {
    problems.report(place, 'has only one of uidMappings and gidMappings; give both or none', 'config.md#posix-platform-mounts')
  }
})

/** Semantic versioning 2.0.0, as far as a version of the spec needs it. */
const version = matching(/^1\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/, 'a version 1.x.y of the runtime spec', 'config.md#specification-version')

/** What sethostname(2) and setdomainname(2) take. */
const hostName = matching(/^.{0,64}$/s, 'at most 64 characters', 'sethostname(2)')

function judgeSpec(spec: Spec, place: Place, problems: Problems): void {
  const isOwn = (type: string) => spec.linux?.namespaces?.some(one => one.type === type) ?? false
  for (const key of ['hostname', 'domainname'] as const) {
    // Without one it would be the machine's own name that changes.
    if (spec[key] && !isOwn('uts')) problems.report({ holder: place, key }, 'given, but linux.namespaces has no uts namespace', `config.md#${key}`)
  }
}

/** Checks a whole config.json. */
export const spec: Check = record<Spec>(() => ({
  ociVersion: needed(version, 'give the version of the runtime spec it is written for'),
  root: needed(record<Root>(() => ({ path: needed(matching(/./s, 'the path of the root file system')), readonly: flag })), 'give the path of the root file system'),
  process,
  hostname: hostName,
  domainname: hostName,
  mounts: list(mount),
  hooks,
  annotations: table(text),
  linux,
}), judgeSpec)
