import * as sys from 'native:sys'
import { AT_FDCWD, AT_RECURSIVE, O_CREAT, O_RDWR } from '../../../native/ts/constants/fcntl.ts'
import { CLONE_NEWNS } from '../../../native/ts/constants/sched.ts'
import { check, checked, E } from '../../../native/ts/errno.ts'
import { equal, forked, ok, runCases, text, waitFor } from './harness.ts'

/** include/uapi/linux/mount.h */
const MS_BIND = 4096
const MS_REC = 16384
const MS_PRIVATE = 1 << 18
const MNT_DETACH = 2
const FSCONFIG_SET_STRING = 1
const FSCONFIG_CMD_CREATE = 6
const MOUNT_ATTR_RDONLY = 1
const MOUNT_ATTR_NODEV = 4
const MOVE_MOUNT_F_EMPTY_PATH = 4
const OPEN_TREE_CLONE = 1

/** Runs `body` in a child with a mount namespace of its own, in an empty directory on a tmpfs. */
function inNamespace(body: (path: string) => void): void {
  const pid = forked(() => {
    const path = '/tmp'
    check('unshare', 'mount namespace', sys.unshare(CLONE_NEWNS))
    check('mount', 'private', sys.mount(null, '/', null, MS_REC | MS_PRIVATE, null))
    check('mount', 'tmpfs', sys.mount('none', path, 'tmpfs', 0, 'size=1m'))
    body(path)
  })
  equal(waitFor(pid), 0)
}

function mountLine(path: string): string {
  const lines = text(sys.readFile(AT_FDCWD, '/proc/self/mountinfo', 1e6)).split('\n')
  return lines.findLast(line => line.split(' ')[4] === path) ?? ''
}

function directory(path: string): string {
  check('mkdir', path, sys.mkdirat(AT_FDCWD, path, 0o755))
  return path
}

await runCases({
  'mount, bind, and unmount': () => inNamespace(path => {
    const target = directory(`${path}/target`)
    equal(sys.mount('none', target, 'tmpfs', 0, 'size=64k'), 0)
    ok(mountLine(target).includes('size=64k'), mountLine(target))
    equal(sys.mount(target, directory(`${path}/bind`), null, MS_BIND, null), 0)
    equal(sys.umount2(target, 0), 0)
    equal(sys.umount2(`${path}/bind`, MNT_DETACH), 0)
    equal(sys.umount2(target, 0), -E.EINVAL)
    equal(sys.mount('none', `${path}/nothing`, 'tmpfs', 0, null), -E.ENOENT)
    equal(sys.mount('none', target, 'no-such-type', 0, null), -E.ENODEV)
  }),

  'the new mount API: fsopen, fsconfig, fsmount, move_mount': () => inNamespace(path => {
    const target = directory(`${path}/target`)
    const context = check('fsopen', 'tmpfs', sys.fsopen('tmpfs', 0))
    equal(sys.fsconfig(context, FSCONFIG_SET_STRING, 'size', '128k', 0), 0)
    equal(sys.fsconfig(context, FSCONFIG_SET_STRING, 'no-such-option', 'x', 0), -E.EINVAL)
    equal(sys.fsconfig(context, FSCONFIG_CMD_CREATE, null, null, 0), 0)
    const mounted = check('fsmount', 'tmpfs', sys.fsmount(context, 0, MOUNT_ATTR_NODEV))
    equal(sys.moveMount(mounted, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), 0)
    ok(mountLine(target).includes('nodev') && mountLine(target).includes('size=128k'), mountLine(target))
    sys.close(context)
    sys.close(mounted)
  }),

  'open_tree and mount_setattr make a read-only bind mount, recursively': () => inNamespace(path => {
    const source = directory(`${path}/source`)
    sys.mount('none', directory(`${source}/below`), 'tmpfs', 0, null)
    const tree = check('open_tree', source, sys.openTree(AT_FDCWD, source, OPEN_TREE_CLONE | AT_RECURSIVE))
    equal(sys.mountSetattr(tree, '', 0x1000 | AT_RECURSIVE, { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0 }), 0)
    const target = directory(`${path}/target`)
    equal(sys.moveMount(tree, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), 0)
    for (const file of [`${target}/x`, `${target}/below/x`]) equal(sys.openat(AT_FDCWD, file, O_RDWR | O_CREAT, 0o600), -E.EROFS)
    const writable = sys.openat(AT_FDCWD, `${source}/x`, O_RDWR | O_CREAT, 0o600)
    ok(writable >= 0, `source: ${writable}`)
  }),

  'pivot_root changes the root and the old one is detached': () => inNamespace(path => {
    const root = directory(`${path}/root`)
    sys.mount('none', root, 'tmpfs', 0, null)
    sys.writeFile(AT_FDCWD, `${root}/here`, 'new root', O_CREAT, 0o600)
    check('chdir', root, sys.chdir(root))
    equal(sys.pivotRoot('.', '.'), 0)
    equal(sys.umount2('.', MNT_DETACH), 0)
    check('chdir', '/', sys.chdir('/'))
    equal(text(sys.readFile(AT_FDCWD, '/here', 100)), 'new root')
    equal(sys.getcwd(), '/')
    equal(checked('readdir', '/', sys.readdir(AT_FDCWD, '/')).map(entry => entry.name), ['here'])
  }),

  'statfs tells the type': () => inNamespace(path => {
    const seen = checked('statfs', path, sys.statfs(path))
    equal([seen.type, seen.blocks * seen.blockSize], [0x01021994, 1 << 20])
  }),
})
