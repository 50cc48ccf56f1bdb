import { Fault } from '../../native/ts/fault.ts'
import type { Linux, LinuxDevice } from '../../protocol/oci/linux.ts'
import type { LinuxDeviceCgroup } from '../../protocol/oci/resources.ts'

/** A block device of the host that a container is to have. */
export interface DiskRequest {
  /** The host's numbers. */
  major: number
  minor: number
  readonly: boolean
  /** In the container: for messages. */
  path: string
}

/** Whether the device rules allow every device. */
function allowsAll(rules: readonly LinuxDeviceCgroup[]): boolean {
  return rules.some(rule => rule.allow && (rule.type === undefined || rule.type === '' || rule.type === 'a') && isAll(rule.major) && isAll(rule.minor))
}

/** -1 has meant «all» since runtime-spec 1.0, as an absent number does. */
function isAll(number: number | undefined): boolean {
  return number === undefined || number < 0
}

/**
 * Whether the spec lists the host's whole /dev, as clients do for a privileged container. All of them list /dev/null then,
 * which nobody asks for by name because every container has it.
 */
export function listsHostDevices(linux: Linux | undefined): boolean {
  return allowsAll(linux?.resources?.devices ?? []) && (linux?.devices ?? []).some(device => device.path === '/dev/null')
}

function covers(rule: LinuxDeviceCgroup, device: { major: number; minor: number }): boolean {
  const type = rule.type === undefined || rule.type === '' || rule.type === 'a' || rule.type === 'b'
  return type && (isAll(rule.major) || rule.major === device.major) && (isAll(rule.minor) || rule.minor === device.minor)
}

/** What the rules allow for a block device: some of r, w, m. Later rules win; without rules, everything. */
function accessTo(device: { major: number; minor: number }, rules: readonly LinuxDeviceCgroup[]): Set<string> {
  const access = new Set(rules.length === 0 ? 'rwm' : '')
  for (const rule of rules.filter(each => covers(each, device))) {
    for (const letter of rule.access || 'rwm') {
      if (rule.allow) access.add(letter)
      else access.delete(letter)
    }
  }
  return access
}

/**
 * The block devices that a container was given by name, each once. A privileged container is given every device of
 * the host as well, under its own path: those are left out, no part of the host belongs to it. `isHostNode` tells
 * whether a device has its path on the host. Throws Fault for a device that the rules do not let anyone read.
 */
export function requestedDisks(linux: Linux, isHostNode: (device: LinuxDevice) => boolean): DiskRequest[] {
  const { devices = [], resources } = linux
  const rules = resources?.devices ?? []
  const privileged = listsHostDevices(linux)
  const disks = new Map<string, DiskRequest>()
  for (const device of devices) {
    if (device.type !== 'b' || (privileged && isHostNode(device))) continue
    const numbers = { major: device.major ?? 0, minor: device.minor ?? 0 }
    const access = accessTo(numbers, rules)
    if (!access.has('r')) {
      throw new Fault(`block device ${device.path} (${numbers.major}:${numbers.minor}): the container's device rules do not allow to read it`, {
        fix: 'give the device with permissions rm or rwm',
      })
    }
    disks.set(`${numbers.major}:${numbers.minor}`, { ...numbers, readonly: !access.has('w'), path: device.path })
  }
  return [...disks.values()]
}

/**
 * Device rules for the guest: of the block devices, only the container's disks have a meaning there, so each rule that
 * names numbers becomes one for each disk that it means. The disks keep their host numbers, which the agent replaces.
 */
export function rewriteDeviceRules(rules: readonly LinuxDeviceCgroup[], disks: readonly DiskRequest[]): LinuxDeviceCgroup[] {
  return rules.flatMap(rule => {
    if (rule.type !== 'b' || (isAll(rule.major) && isAll(rule.minor))) return [rule]
    return disks.filter(disk => covers(rule, disk)).map(({ major, minor }) => ({ ...rule, major, minor }))
  })
}
