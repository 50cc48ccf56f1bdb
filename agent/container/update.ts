import { Fault } from '../../native/ts/fault.ts'
import type { LinuxResources } from '../../protocol/oci/resources.ts'
import { withDefaultDevices } from './cgroup/device-rules.ts'
import type { Container } from './container.ts'

/** Changes limits of a container that is not stopped; keys that are absent stay as they are. */
export function updateContainer(container: Container, resources: LinuxResources): void {
  if (container.status() === 'stopped') throw new Fault(`container ${container.id} cannot be updated: it is stopped`)
  const { devices, ...rest } = resources
  container.cgroup.apply(devices ? { ...rest, devices: withDefaultDevices(devices) } : rest)
}
