import type { Fd } from '../../../native/ts/fd.ts'
import type { CgroupMountSource } from '../cgroup/cgroup.ts'
import { attach, clonePath, makeFilesystem, setAttributes } from './mount-calls.ts'
import type { MountPlan } from './mount-options.ts'
import { Root } from './root.ts'

/**
 * A mount of type cgroup: the container's own part of the hierarchies the runtime uses. With a cgroup
 * namespace it is a new mount, whose root the namespace decides; without one the directory is bound.
 */
export function mountCgroup(root: Root, plan: MountPlan, hierarchies: readonly CgroupMountSource[], ownNamespace: boolean): void {
  using at = root.mountPoint(plan.destination, true)
  const [first] = hierarchies
  if (first?.place === '') {
    using mount = hierarchy(first, plan, ownNamespace)
    attach(mount, at)
    return
  }
  // cgroup v1: a directory for each hierarchy, on a tmpfs that is made read-only when it is complete.
  using top = makeFilesystem({ type: 'tmpfs', source: 'tmpfs', flags: [], data: ['mode=755'], attributes: plan.attributes }, true)
  attach(top, at)
  const below = new Root(top.number, plan.destination)
  for (const source of hierarchies) {
    using mount = hierarchy(source, plan, ownNamespace)
    using place = below.directory(source.place)
    attach(mount, place)
  }
  setAttributes(top, plan.attributes, false)
}

function hierarchy(source: CgroupMountSource, plan: MountPlan, ownNamespace: boolean): Fd {
  if (ownNamespace) {
    // Kernfs superblocks are shared with the runtime's own: read-only is an attribute of the mount alone.
    const mount = makeFilesystem({ type: source.type, source: 'cgroup', flags: [], data: source.data, attributes: plan.attributes }, true)
    setAttributes(mount, plan.attributes, false)
    return mount
  }
  const mount = clonePath(source.directory, false)
  setAttributes(mount, plan.attributes, false)
  return mount
}
