/**
 * Runs on the engine: the cgroup v2 driver on a real cgroup2 mount, also where that has no controllers (the hybrid layout).
 * `exercise-cgroup-v2 MOUNT_POINT`: prints what it saw as JSON.
 */
import * as sys from 'native:sys'
import { AT_FDCWD, O_RDONLY } from '../../native/ts/constants/fcntl.ts'
import { SIGCHLD, SIGKILL } from '../../native/ts/constants/signal.ts'
import { P_PIDFD, WEXITED } from '../../native/ts/constants/wait.ts'
import { checked } from '../../native/ts/errno.ts'
import { exists, readText } from '../../native/ts/file.ts'
import { CgroupV2 } from '../../agent/container/cgroup/v2/cgroup.ts'
import { withDefaultDevices } from '../../agent/container/cgroup/device-rules.ts'

const mountPoint = sys.argv()[1] ?? ''
const cgroup = new CgroupV2(mountPoint, `/kata-ts-test-${sys.getpid()}/leaf`)
const directory = cgroup.directories[0] ?? ''

/** A process born in the cgroup, which tells by its exit status whether it may read the device. */
function mayRead(path: string): boolean {
  using fd = cgroup.openForClone()
  const child = checked('clone3', path, sys.clone3({ flags: 0, exitSignal: SIGCHLD, cgroupFd: fd.number }))
  if (child.pid === 0) sys._exit(sys.openat(AT_FDCWD, path, O_RDONLY, 0) >= 0 ? 0 : 1)
  const seen = sys.waitid(P_PIDFD, child.pidfd, WEXITED)
  sys.close(child.pidfd)
  return typeof seen === 'object' && seen?.status === 0
}

/** A process in the cgroup that does nothing until it is killed. */
function sleeper(): { pid: number; pidfd: number } {
  using fd = cgroup.openForClone()
  const child = checked('clone3', 'sleeper', sys.clone3({ flags: 0, exitSignal: SIGCHLD, cgroupFd: fd.number }))
  if (child.pid === 0) {
    sys.execve('/bin/sleep', ['sleep', '1000'], [])
    sys._exit(127)
  }
  return child
}

cgroup.create()
cgroup.apply({ devices: withDefaultDevices([]) })
const strict = { null: mayRead('/dev/null'), zero: mayRead('/dev/zero'), kmsg: mayRead('/dev/kmsg') }
cgroup.apply({ devices: withDefaultDevices([{ allow: true, type: 'c', major: 1, minor: 11, access: 'r' }]) })
const loose = { kmsg: mayRead('/dev/kmsg') }
const born = sleeper()
const pids = cgroup.pids()
const where = readText(`/proc/${born.pid}/cgroup`).split('\n').find(line => line.startsWith('0::')) ?? ''
await cgroup.freeze()
const frozen = cgroup.frozen()
await cgroup.thaw()
const thawed = !cgroup.frozen()
cgroup.killAll(SIGKILL)
const died = sys.waitid(P_PIDFD, born.pidfd, WEXITED)
await cgroup.delete()
const gone = !exists(directory)
sys.unlinkat(AT_FDCWD, directory.replace(/\/leaf$/, ''), 0x200)
const text = JSON.stringify({ strict, loose, born: pids.includes(born.pid) && where.endsWith('/leaf'), frozen, thawed, died: typeof died === 'object' && died?.status === SIGKILL, gone })
const bytes = sys.utf8Encode(`${text}\n`)
sys.write(1, bytes, 0, bytes.length)
