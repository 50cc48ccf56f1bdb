import { Fault } from '../../../native/ts/fault.ts'
import type { Fd } from '../../../native/ts/fd.ts'
import { type IdMappings, makeUserNamespace, mapMountIds, mapText } from '../../../native/ts/user-namespace.ts'
import type { Linux } from '../../../protocol/oci/linux.ts'
import type { NamespacePlan } from '../namespaces/plan.ts'
import { clonePath } from './mount-calls.ts'
import type { MountPlan } from './mount-options.ts'

/** What an ID-mapped mount is made with. */
export interface IdMap {
  namespace: Fd
  /** The bound source, mapped already; a file system is mapped when init has made it. */
  source: Fd | undefined
}

/**
 * Opens what the ID-mapped mounts among `plans` need (config.md#posix-platform-mounts), and enters it there. This is the
 * parent's work: in a user namespace of its own, init may not map the ids of a file system of the host. What is opened is
 * the plans' (closeIdMaps), also when this throws: SysError, and Fault for a mount that has no mapping.
 */
export function openIdMaps(plans: readonly MountPlan[], linux: Linux, namespaces: NamespacePlan): void {
  const made = new Map<string, Fd>()
  for (const plan of plans) {
    if (!plan.idMapping) continue
    const namespace = namespaceFor(plan, linux, namespaces, made)
    plan.idMap = { namespace, source: undefined }
    if (plan.kind === 'filesystem') continue
    plan.idMap.source = clonePath(plan.source, plan.kind === 'rbind')
    mapMountIds(plan.idMap.source, namespace, plan.idMapping.recursive)
  }
}

/** The mount's own mappings, else the container's: those of its new user namespace, or the one that it joins. */
function namespaceFor(plan: MountPlan, { uidMappings = [], gidMappings = [] }: Linux, namespaces: NamespacePlan, made: Map<string, Fd>): Fd {
  const mappings = plan.idMapping?.mappings ?? (uidMappings.length > 0 ? { uids: uidMappings, gids: gidMappings } : undefined)
  if (mappings) return namespaceOf(mappings, made)
  if (namespaces.user) return namespaces.user.fd
  throw new Fault(`mount ${plan.destination}: its ids are to be mapped, but neither it nor the container has a mapping`, { fix: 'give the mount uidMappings and gidMappings' })
}

/** One namespace for all mounts that are mapped alike. */
function namespaceOf(mappings: IdMappings, made: Map<string, Fd>): Fd {
  const key = `${mapText(mappings.uids)}/${mapText(mappings.gids)}`
  const namespace = made.get(key) ?? makeUserNamespace(mappings)
  made.set(key, namespace)
  return namespace
}

/** The descriptors that init needs of the plans. */
export function idMapDescriptors(plans: readonly MountPlan[]): number[] {
  return plans.flatMap(({ idMap }) => (idMap ? [(idMap.source ?? idMap.namespace).number] : []))
}

/** Closes what openIdMaps opened; init has its own copies. */
export function closeIdMaps(plans: readonly MountPlan[]): void {
  for (const { idMap } of plans) {
    idMap?.namespace.close()
    idMap?.source?.close()
  }
}
