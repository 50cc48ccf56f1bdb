import { Fault } from '../../native/ts/fault.ts'

/**
 * Where below a hierarchy's root the cgroup lies that a spec's `linux.cgroupsPath` means: a path as it is, or
 * `slice:prefix:name`, which runtimes with systemd take for the unit `prefix-name.scope` in `slice` (runc docs/systemd.md).
 * @param otherwise for a spec that has none
 * @throws Fault for what is no cgroup of its own
 */
export function hostCgroupPath(cgroupsPath: string | undefined, otherwise: string): string {
  const given = cgroupsPath || otherwise
  const parts = given.split(':')
  const path = parts.length === 3 && !given.includes('/') ? systemdPath(parts[0] ?? '', parts[1] ?? '', parts[2] ?? '') : given
  const names = path.split('/').filter(name => name !== '' && name !== '.')
  if (names.length === 0 || names.includes('..')) throw new Fault(`linux.cgroupsPath ${given} is no path of a cgroup`, { fix: 'give /parent/name, or slice:prefix:name' })
  return `/${names.join('/')}`
}

/** The cgroup of a pod's sandbox below `cgroup_parent` of its PodSandboxConfig, as containerd's CRI plugin puts it for the pause container. */
export function podSandboxCgroup(cgroupParent: string, sandboxId: string): string {
  const base = cgroupParent.slice(cgroupParent.lastIndexOf('/') + 1)
  return base.endsWith('.slice') ? `${base}:cri-containerd:${sandboxId}` : `${cgroupParent}/${sandboxId}`
}

/** A unit's path: slices lie in each other by the dashes of their names (systemd.slice(5)). */
function systemdPath(slice: string, prefix: string, name: string): string {
  const unit = name.endsWith('.slice') ? name : `${prefix === '' ? '' : `${prefix}-`}${name}.scope`
  return `${slicePath(slice || 'system.slice')}/${unit}`
}

function slicePath(slice: string): string {
  if (slice === '-.slice') return ''
  const [, stem] = /^([^-/]+(?:-[^-/]+)*)\.slice$/.exec(slice) ?? []
  if (stem === undefined) throw new Fault(`linux.cgroupsPath: ${slice} is no name of a systemd slice`)
  const words = stem.split('-')
  return words.map((_word, index) => `/${words.slice(0, index + 1).join('-')}.slice`).join('')
}
