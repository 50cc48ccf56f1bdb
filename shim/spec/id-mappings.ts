import { Fault } from '../../native/ts/fault.ts'
import type { IdMapping, IdMappings } from '../../native/ts/user-namespace.ts'
import type { CreateSandboxRequest } from '../../protocol/gen/agent.ts'
import type { Linux } from '../../protocol/oci/linux.ts'
import type { Mount } from '../../protocol/oci/spec.ts'

/** The mappings of a pod's user namespace, by the spec of its pause container; undefined: it has none. Throws Fault for one without ids, or without root: nobody could set up its containers. */
export function mappingsOfPod({ namespaces = [], uidMappings = [], gidMappings = [] }: Pick<Linux, 'namespaces' | 'uidMappings' | 'gidMappings'> = {}): IdMappings | undefined {
  if (!namespaces.some(({ type }) => type === 'user')) return undefined
  if (uidMappings.length > 0 && gidMappings.length > 0) {
    if (mappedId(0, uidMappings) !== undefined && mappedId(0, gidMappings) !== undefined) return { uids: uidMappings, gids: gidMappings }
    throw new Fault("the pod's user namespace maps no id to its root", { fix: 'map id 0 of the containers, for users and for groups' })
  }
  throw new Fault('the pod has a user namespace, but says no mappings for it', { fix: 'give it uidMappings and gidMappings, as containerd does' })
}

export interface MountMappings extends IdMappings {
  /** Whether of the mounts below it, too. */
  recursive: boolean
}

/** How a mount's ids are to be mapped (config.md, "Mounts"); undefined: not at all. Those without mappings of their own have the container's. */
export function mappingsOfMount({ destination, options = [], uidMappings = [], gidMappings = [] }: Mount, linux: Linux | undefined): MountMappings | undefined {
  const asked = options.some(option => idMapWords.has(option))
  if (!asked && uidMappings.length === 0 && gidMappings.length === 0) return undefined
  const mappings = uidMappings.length > 0 ? { uids: uidMappings, gids: gidMappings } : { uids: linux?.uidMappings ?? [], gids: linux?.gidMappings ?? [] }
  if (mappings.uids.length > 0 && mappings.gids.length > 0) return { ...mappings, recursive: options.includes('ridmap') }
  throw new Fault(`mount ${destination}: its ids are to be mapped, but there are no mappings for users and groups`, { fix: 'give the mount uidMappings and gidMappings' })
}

const idMapWords: ReadonlySet<string> = new Set(['idmap', 'ridmap'])

/** A mount that is mapped already, where it comes from. */
export function withoutMappings({ uidMappings: _uids, gidMappings: _gids, ...mount }: Mount): Mount {
  return mount.options?.some(option => idMapWords.has(option)) ? { ...mount, options: mount.options.filter(option => !idMapWords.has(option)) } : mount
}

/** What an id of a file system is through mappings; undefined: none of them has it. */
export function mappedId(id: number, mappings: readonly IdMapping[]): number | undefined {
  const found = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size)
  return found && found.hostID + (id - found.containerID)
}

/** As the kernel shows an id that has no place in a user namespace (user_namespaces(7), overflowuid). */
const overflowId = 65_534

/** What has an owner, with the owner that it has through mappings. */
export function withMappedOwner<T extends { uid: number; gid: number }>(owned: T, mappings: IdMappings | undefined): T {
  if (!mappings) return owned
  return { ...owned, uid: mappedId(owned.uid, mappings.uids) ?? overflowId, gid: mappedId(owned.gid, mappings.gids) ?? overflowId }
}

/** As the agent is told them. */
export function agentMappings(mappings: IdMappings | undefined): Pick<CreateSandboxRequest, 'uidMappings' | 'gidMappings'> {
  const ofAgent = ({ containerID, hostID, size }: IdMapping) => ({ containerId: containerID, hostId: hostID, size })
  return { uidMappings: mappings?.uids.map(ofAgent) ?? [], gidMappings: mappings?.gids.map(ofAgent) ?? [] }
}
