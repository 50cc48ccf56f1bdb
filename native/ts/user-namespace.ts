import * as sys from 'native:sys'
import { AT_EMPTY_PATH, AT_RECURSIVE, O_RDONLY } from './constants/fcntl.ts'
import { MOUNT_ATTR_IDMAP } from './constants/mount.ts'
import { CLONE_NEWUSER } from './constants/sched.ts'
import { SIGCHLD, SIGKILL } from './constants/signal.ts'
import { P_PIDFD, WEXITED } from './constants/wait.ts'
import { check, checked, E, SysError } from './errno.ts'
import { Fd, open, pipe } from './fd.ts'
import { writeKernelFile } from './file.ts'

/** `size` ids from `containerID` inside are those from `hostID` outside (user_namespaces(7); the names of the runtime spec). */
export interface IdMapping {
  containerID: number
  hostID: number
  size: number
}

/** What a user namespace says of users and groups. */
export interface IdMappings {
  uids: readonly IdMapping[]
  gids: readonly IdMapping[]
}

/** Lines of /proc/<pid>/uid_map: inside, outside, length. */
export function mapText(mappings: readonly IdMapping[]): string {
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('')
}

/** Gives the new user namespace of process `pid` its id maps. Each file takes one write(2) in its life. Throws SysError. */
export function writeIdMaps(pid: number, { uids, gids }: IdMappings): void {
  // Who may not map groups at will must first give up dropping them (user_namespaces(7)).
  if (sys.geteuid() !== 0) writeKernelFile(`/proc/${pid}/setgroups`, 'deny')
  writeKernelFile(`/proc/${pid}/uid_map`, mapText(uids))
  writeKernelFile(`/proc/${pid}/gid_map`, mapText(gids))
}

/**
 * A user namespace with these maps and nobody in it: what an ID-mapped mount is described by (mount_setattr(2)). The
 * caller owns it. Throws SysError, and then no process is left of it. Costs a fork of this process, and no wait but for
 * the child's end.
 */
export function makeUserNamespace(mappings: IdMappings): Fd {
  const ends = pipe('user namespace')
  using writer = ends.writer
  using reader = ends.reader
  const child = checked('clone3', 'user namespace', sys.clone3({ flags: CLONE_NEWUSER, exitSignal: SIGCHLD }))
  if (child.pid === 0) holdNamespace(reader, writer)
  using pidfd = new Fd(child.pidfd, 'holder of a user namespace')
  try {
    writeIdMaps(child.pid, mappings)
    return open(`/proc/${child.pid}/ns/user`, O_RDONLY)
  } finally {
    sys.pidfdSendSignal(pidfd.number, SIGKILL)
    const reaped = sys.waitid(P_PIDFD, pidfd.number, WEXITED)
    // Someone else's reaping is as good.
    if (typeof reaped === 'number' && reaped !== -E.ECHILD) check('waitid', pidfd.what, reaped)
  }
}

/** The child: it is there until it is killed, or until nobody is left to kill it. */
function holdNamespace(reader: Fd, writer: Fd): never {
  writer.close()
  sys.read(reader.number, new Uint8Array(1), 0, 1)
  return sys._exit(0)
}

/**
 * Lets files of a mount that is attached nowhere yet (both borrowed; open_tree(2) OPEN_TREE_CLONE, fsmount(2)) belong to
 * the ids that the namespace gives theirs: one on disk that is `containerID` is `hostID` through this mount. `recursive`: of
 * the mounts below it too. Once for the life of the mount. Takes CAP_SYS_ADMIN where the file system was mounted. Throws SysError.
 */
export function mapMountIds(mount: Fd, namespace: Fd, recursive: boolean): void {
  const mapped = sys.mountSetattr(mount.number, '', AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), { set: MOUNT_ATTR_IDMAP, clear: 0, propagation: 0, usernsFd: namespace.number })
  if (mapped === -E.EINVAL) throw new SysError('mount_setattr', `ids of ${mount.what}`, E.EINVAL, { fix: 'its file system cannot map ids: leave the mapping out' })
  check('mount_setattr', `ids of ${mount.what}`, mapped)
}
