import { Fault } from '../../native/ts/fault.ts'
import type { LinuxResources } from '../../protocol/oci/resources.ts'
import type { Container } from './container.ts'

/**
 * Changes limits of a container that is not stopped; keys that are absent stay as they are. Device rules stay whatever is
 * said of them, as with runc: clients send the rules of the spec along with a changed limit, and those are not all there is.
 */
export async function updateContainer(container: Container, resources: LinuxResources): Promise<void> {
  if (container.status() === 'stopped') throw new Fault(`container ${container.id} cannot be updated: it is stopped`)
  const { devices: _kept, ...limits } = resources
  await container.cgroup.apply(limits)
}
