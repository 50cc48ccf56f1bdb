import * as sys from 'native:sys'
import { AT_EMPTY_PATH } from '../../../native/ts/constants/fcntl.ts'
import { checked, E, isErrno } from '../../../native/ts/errno.ts'
import { Fault } from '../../../native/ts/fault.ts'
import type { Fd } from '../../../native/ts/fd.ts'
import { mapMountIds } from '../../../native/ts/user-namespace.ts'
import { copyTree } from './copy-up.ts'
import { attach, clonePath, makeFilesystem, setAttributes, setPropagation } from './mount-calls.ts'
import type { MountPlan } from './mount-options.ts'
import { isDirectory, type Root, segments } from './root.ts'

/** Makes one mount of the spec inside the root. Takes ownership of `source`, a detached copy of what a bind mount names, if it is there already. */
export function mountInRoot(root: Root, plan: MountPlan, source?: Fd): void {
  checkBelowProc(root, plan)
  if (plan.remount) {
    using at = root.mountPoint(plan.destination, true)
    checkOutsideProc(root, plan, at)
    finish(at, plan)
    return
  }
  using mount = prepare(plan, source)
  using at = root.mountPoint(plan.destination, isDirectory(mount))
  checkOutsideProc(root, plan, at)
  if (plan.copyUp && isDirectory(mount)) {
    copyTree(at, mount)
  }
  attach(mount, at)
  finish(mount, plan)
}

/** The mount, complete but for its place: nothing of the container sees it half-made. */
function prepare(plan: MountPlan, source: Fd | undefined): Fd {
  if (plan.kind === 'filesystem') {
    if (plan.type === 'sysfs') return sysfs(plan)
    const made = makeFilesystem(plan, plan.copyUp)
    if (plan.idMap) mapMountIds(made, plan.idMap.namespace, false)
    return made
  }
  const mount = plan.idMap?.source ?? source ?? clonePath(plan.source, plan.kind === 'rbind')
  try {
    setAttributes(mount, plan.attributes, false)
    return mount
  } catch (error) {
    mount.close()
    throw error
  }
}

/** A new sysfs takes rights over the network namespace; without them (a user namespace, the host's network) the host's is bound. */
function sysfs(plan: MountPlan): Fd {
  try {
    return makeFilesystem(plan)
  } catch (error) {
    if (!isErrno(error, E.EPERM)) throw error
    const bound = clonePath('/sys', true)
    setAttributes(bound, plan.attributes, false)
    return bound
  }
}

function finish(mount: Fd, plan: MountPlan): void {
  if (plan.copyUp || plan.remount) setAttributes(mount, plan.attributes, false)
  setAttributes(mount, plan.recursiveAttributes, true)
  for (const propagation of plan.propagation) setPropagation(mount, propagation)
}

/** Files of /proc that LXCFS and the like legitimately replace. */
const replaceable = new Set([
  'cpuinfo', 'diskstats', 'meminfo', 'stat', 'swaps', 'uptime', 'loadavg', 'slabinfo', 'sys/kernel/ns_last_pid', 'sys/crypto/fips_enabled',
])
/** include/uapi/linux/magic.h */
const PROC_SUPER_MAGIC = 0x9fa0

/**
 * A mount below /proc could feign what the runtime reads or writes there (CVE-2019-16884): refused,
 * but for the files above and for parts of procfs itself. On /proc itself belongs procfs or a bind of one.
 */
function checkBelowProc(root: Root, plan: MountPlan): void {
  const [top, ...rest] = segments(plan.destination)
  if (top !== 'proc') return
  if (rest.length === 0) {
    if (plan.kind === 'filesystem' && plan.type === 'proc') return
    if (plan.kind !== 'filesystem' && isProcfs(plan.source)) return
    throw new Fault(`mount at ${plan.destination}: only proc may be mounted there, not ${plan.type}`)
  }
  // An empty tmpfs feigns nothing, and is how some images hide parts of /proc.
  if (replaceable.has(rest.join('/')) || (plan.kind === 'filesystem' && plan.type === 'tmpfs')) return
  if (plan.kind !== 'filesystem' && isProcfs(plan.source)) return
  throw new Fault(`mount at ${plan.destination} in ${root.path}: it lies inside /proc`, { fix: 'mount it elsewhere' })
}

/** The same of a destination that is elsewhere by its name: a link in the image, or one swapped in meanwhile, may lead into /proc (CVE-2025-52881). */
function checkOutsideProc(root: Root, plan: MountPlan, at: Fd): void {
  if (segments(plan.destination)[0] === 'proc') return
  if (checked('statfs', at.what, sys.statfs(`/proc/self/fd/${at.number}`)).type !== PROC_SUPER_MAGIC) return
  using proc = root.find('/proc')
  // Another instance of procfs, of the runtime's namespace, is a volume like any.
  if (!proc || !sameFilesystem(proc, at)) return
  throw new Fault(`mount at ${plan.destination} in ${root.path}: a link leads it into /proc`, { fix: 'mount it elsewhere' })
}

function sameFilesystem(one: Fd, other: Fd): boolean {
  const [a, b] = [one, other].map(fd => checked('statx', fd.what, sys.statx(fd.number, '', AT_EMPTY_PATH)))
  return a?.devMajor === b?.devMajor && a?.devMinor === b?.devMinor
}

function isProcfs(source: string): boolean {
  const seen = sys.statfs(source)
  return typeof seen !== 'number' && seen.type === PROC_SUPER_MAGIC
}
