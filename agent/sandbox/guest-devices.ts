import * as sys from 'native:sys'
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_RDWR } from '../../native/ts/constants/fcntl.ts'
import { LOOP_CTL_ADD } from '../../native/ts/constants/ioctl.ts'
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFMT } from '../../native/ts/constants/stat.ts'
import { check, checked, E } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'
import type { LinuxDevice } from '../../protocol/oci/linux.ts'
import type { Spec } from '../../protocol/oci/spec.ts'

/** What containerd, Docker and runc leave out when they give a container the machine's devices: each container has its own of these. */
const ownOfContainer = new Set(['console', 'fd', 'mqueue', 'ptmx', 'pts', 'shm'])

/** The guest's /dev is the kernel's and small; what is beyond these bounds was put there by somebody else. */
const maxDevices = 1024
const maxDepth = 4

/** As many as a machine with the loop module has from its start (Documentation/admin-guide/kernel-parameters.txt, max_loop). */
const loopDevices = 8

/** The spec with every device node of this machine's /dev, and the right to use each: what "the host's devices" means to a privileged container of a guest. */
export function withGuestDevices(spec: Spec): Spec {
  addLoopDevices()
  const named = new Set(spec.linux?.devices?.map(device => device.path))
  const added = nodesBelow('/dev', 1, []).filter(device => !named.has(device.path))
  const { linux } = spec
  const allowed = [...linux?.resources?.devices ?? [], { allow: true, type: 'a', access: 'rwm' }]
  return { ...spec, linux: { ...linux, devices: [...linux?.devices ?? [], ...added], resources: { ...linux?.resources, devices: allowed } } }
}

/** Device nodes below `directory`, added to `found`. Symlinks are not followed. */
function nodesBelow(directory: string, depth: number, found: LinuxDevice[]): LinuxDevice[] {
  for (const { name } of checked('readdir', directory, sys.readdir(AT_FDCWD, directory))) {
    if (found.length >= maxDevices) break
    if (depth === 1 && ownOfContainer.has(name)) continue
    const path = `${directory}/${name}`
    const stat = sys.statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW)
    // A device that was taken away meanwhile.
    if (typeof stat === 'number') continue
    const type = stat.mode & S_IFMT
    if (type === S_IFDIR && depth < maxDepth) nodesBelow(path, depth + 1, found)
    if (type !== S_IFCHR && type !== S_IFBLK) continue
    found.push({
      path, type: type === S_IFBLK ? 'b' : 'c', major: stat.rdevMajor, minor: stat.rdevMinor, fileMode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid,
    })
  }
  return found
}

/** Loop devices come into being when somebody asks for them, which a program that looks for /dev/loop0 does not do. */
function addLoopDevices(): void {
  const opened = sys.openat(AT_FDCWD, '/dev/loop-control', O_RDWR, 0)
  // A kernel without loop devices has nothing to add.
  if (opened === -E.ENOENT || opened === -E.ENXIO || opened === -E.ENODEV) return
  using control = new Fd(check('open', '/dev/loop-control', opened), '/dev/loop-control')
  for (let index = 0; index < loopDevices; index++) {
    // EEXIST: an earlier privileged container's. Any other failure costs one loop device, not the container.
    sys.ioctl(control.number, LOOP_CTL_ADD, index)
  }
}
