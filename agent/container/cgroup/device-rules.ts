import type { LinuxDeviceCgroup } from '../../../protocol/oci/resources.ts'

/** One rule for the device controller, with every default filled in; undefined numbers mean all. */
export interface DeviceRule {
  allow: boolean
  type: 'a' | 'b' | 'c'
  major: number | undefined
  minor: number | undefined
  /** Any of r, w, m. */
  access: string
}

/**
 * What every container may use, whatever the rules of the spec deny before (config-linux.md#default-devices;
 * Documentation/admin-guide/devices.txt): mknod of any node, the standard devices, terminals.
 */
const always: readonly LinuxDeviceCgroup[] = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 5, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 7, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 8, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 9, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 0, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' },
  { allow: true, type: 'c', major: 136, access: 'rwm' },
]

/** The spec's rules between «nothing» and the devices that every container has: later rules win. */
export function withDefaultDevices(rules: readonly LinuxDeviceCgroup[]): LinuxDeviceCgroup[] {
  return [{ allow: false, type: 'a', access: 'rwm' }, ...rules, ...always]
}

/** A rule as the controllers take it. -1 has meant «all» since runtime-spec 1.0, as an absent number does. */
export function deviceRule(rule: LinuxDeviceCgroup): DeviceRule {
  const number = (value: number | undefined) => (value === undefined || value < 0 ? undefined : value)
  const type = rule.type === 'b' || rule.type === 'c' ? rule.type : 'a'
  return { allow: rule.allow, type, major: number(rule.major), minor: number(rule.minor), access: rule.access || 'rwm' }
}
