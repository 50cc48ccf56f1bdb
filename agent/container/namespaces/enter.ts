import * as sys from 'native:sys'
import { O_RDONLY } from '../../../native/ts/constants/fcntl.ts'
import { CLONE_NEWTIME } from '../../../native/ts/constants/sched.ts'
import { AF_INET, SOCK_DGRAM } from '../../../native/ts/constants/socket.ts'
import { check } from '../../../native/ts/errno.ts'
import { Fd, open } from '../../../native/ts/fd.ts'
import { writeKernelFile } from '../../../native/ts/file.ts'
import type { Linux } from '../../../protocol/oci/linux.ts'
import type { NamespacePlan } from './plan.ts'
import { namespaceTypes } from './types.ts'

/** In init: joins what the spec named by path, then makes what could not be made at clone3. */
export function enterNamespaces(plan: NamespacePlan, timeOffsets: Linux['timeOffsets']): void {
  for (const { type, path, fd } of plan.joined) {
    check('setns', `${type} namespace ${path}`, sys.setns(fd.number, namespaceTypes[type].flag))
  }
  if (plan.lateFlags === 0) return
  check('unshare', 'cgroup or time namespace', sys.unshare(plan.lateFlags))
  if (plan.lateFlags & CLONE_NEWTIME) enterTimeNamespace(timeOffsets ?? {})
}

/** The new time namespace is for children only (time_namespaces(7)): it takes its offsets, then we enter it ourselves. */
function enterTimeNamespace(offsets: NonNullable<Linux['timeOffsets']>): void {
  const lines = Object.entries(offsets).map(([clock, { secs, nanosecs }]) => `${clock} ${secs ?? 0} ${nanosecs ?? 0}\n`)
  if (lines.length > 0) writeKernelFile('/proc/self/timens_offsets', lines.join(''))
  using own = open('/proc/self/ns/time_for_children', O_RDONLY)
  check('setns', 'own time namespace', sys.setns(own.number, CLONE_NEWTIME))
}

/** include/uapi/linux/sockios.h, include/uapi/linux/if.h */
const SIOCSIFFLAGS = 0x8914
const IFF_UP = 1
const IFNAMSIZ = 16
/** sizeof(struct ifreq) on 64-bit systems (netdevice(7)). */
const ifreqBytes = 40

/** In a new network namespace: 127.0.0.1 and ::1 work once `lo` is up, as every runtime leaves it. */
export function raiseLoopback(): void {
  using socket = new Fd(check('socket', 'for lo', sys.socket(AF_INET, SOCK_DGRAM, 0)), 'lo')
  const request = new Uint8Array(ifreqBytes)
  request.set(sys.utf8Encode('lo'))
  new DataView(request.buffer).setInt16(IFNAMSIZ, IFF_UP, true)
  check('ioctl SIOCSIFFLAGS', 'lo', sys.ioctlBuffer(socket.number, SIOCSIFFLAGS, request))
}
