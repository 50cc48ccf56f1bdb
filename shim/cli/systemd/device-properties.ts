import { deviceRule, withDefaultDevices } from '../../../agent/container/cgroup/device-rules.ts'
import type { LinuxDeviceCgroup } from '../../../protocol/oci/resources.ts'
import type { Property } from './units.ts'

const classes = { b: 'block', c: 'char' } as const

/**
 * The device rules as systemd keeps them (systemd.resource-control(5), DeviceAllow=). They are in force beside our own, which
 * are exact: without them systemd would allow every device when it sets up its cgroups anew (daemon-reload).
 */
export function deviceProperties(rules: readonly LinuxDeviceCgroup[]): Property[] {
  let all = false
  const access = new Map<string, Set<string>>()
  for (const rule of withDefaultDevices(rules).map(deviceRule)) {
    if (rule.type === 'a') {
      all = rule.allow
      access.clear()
      continue
    }
    // A minor number of every major one has no name with systemd.
    if (rule.major === undefined && rule.minor !== undefined) continue
    const name = `${rule.type === 'b' ? classes.b : classes.c}`
    const node = rule.minor === undefined ? `${name}-${rule.major ?? '*'}` : `/dev/${name}/${rule.major}:${rule.minor}`
    const letters = access.get(node) ?? new Set()
    access.set(node, letters)
    for (const letter of rule.access) {
      if (rule.allow) letters.add(letter)
      else letters.delete(letter)
    }
  }
  const allowed = [...access].filter(([, letters]) => letters.size > 0).map(([node, letters]) => [node, [...letters].join('')])
  return [
    { name: 'DevicePolicy', signature: 's', value: all ? 'auto' : 'strict' },
    // An empty list first forgets what was there (as in a unit file).
    { name: 'DeviceAllow', signature: 'a(ss)', value: [] },
    ...(all ? [] : [{ name: 'DeviceAllow', signature: 'a(ss)', value: allowed }]),
  ]
}
