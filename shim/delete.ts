import * as sys from 'native:sys'
import { realtimeNs } from '../native/ts/clock.ts'
import { MNT_DETACH, UMOUNT_NOFOLLOW } from '../native/ts/constants/mount.ts'
import { checked, E, SysError } from '../native/ts/errno.ts'
import { exists } from '../native/ts/file.ts'
import { DeleteResponse } from '../protocol/gen/task.ts'
import { encode } from '../protocol/message.ts'
import { timestamp } from '../protocol/timestamp.ts'
import type { Flags } from './flags.ts'
import { stateDir, stateRoot } from './paths.ts'
import { writeStdout } from './standard-streams.ts'

/** 128 + SIGKILL: what a task has died of whose shim is gone. */
const killedStatus = 137

/**
 * `delete`: removes everything that a sandbox left on the host, whatever was killed before: its shim,
 * VMM and daemons, socket, state directory. Mounts lie in the shim's mount namespace and end with it.
 *
 * containerd also calls it, and waits for it, after each orderly Delete: then there is nothing left,
 * and the code for the other case is not even read. Another container of a sandbox has no state of its own.
 * Rejects when something stays; calling it again goes on.
 */
export async function remove(flags: Flags): Promise<void> {
  unmountRootfs(`${flags.bundle || checked('getcwd', '', sys.getcwd())}/rootfs`)
  const state = stateDir(stateRoot, flags.namespace, flags.id)
  if (exists(state)) await (await import('./delete-sandbox.ts')).removeSandbox(state, flags)
  writeStdout(encode(DeleteResponse, { pid: 0, exitStatus: killedStatus, exitedAt: timestamp(realtimeNs()) }))
}

/** containerd may have mounted it. Every layer of mounts there goes. */
function unmountRootfs(path: string): void {
  for (;;) {
    const result = sys.umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW)
    if (result === -E.EINVAL || result === -E.ENOENT || result === -E.ENOTDIR) return
    if (result < 0) throw new SysError('umount', path, -result)
  }
}
