import * as sys from 'native:sys'
import { realtimeNs } from '../native/ts/clock.ts'
import { Connection } from '../native/ts/connection.ts'
import { MNT_DETACH, UMOUNT_NOFOLLOW } from '../native/ts/constants/mount.ts'
import { checked, E, SysError } from '../native/ts/errno.ts'
import { exists } from '../native/ts/file.ts'
import { connectUnix } from '../native/ts/socket.ts'
import { DeleteResponse, TaskDefinition } from '../protocol/gen/task.ts'
import { encode } from '../protocol/message.ts'
import { timestamp } from '../protocol/timestamp.ts'
import { connect, createClient } from '../protocol/ttrpc/client.ts'
import { Code, RpcError } from '../protocol/ttrpc/status.ts'
import { readBundle, sandboxIdOf } from './bundle.ts'
import type { Flags } from './flags.ts'
import { readJournal, replay } from './journal.ts'
import { stateDir, stateRoot } from './paths.ts'
import { writeStdout } from './standard-streams.ts'

/** 128 + SIGKILL: what a task has died of whose shim is gone. */
const killedStatus = 137

/** How long a shim may take to say what it serves: of the five seconds that containerd gives `delete` in all. */
const askTimeoutMs = 1_000

/**
 * `delete`: removes everything that a sandbox left on the host, whatever was killed before: its shim,
 * VMM and daemons, socket, state directory. Mounts lie in the shim's mount namespace and end with it.
 * Called for another container of a sandbox it removes nothing of the sandbox, which may well be alive;
 * so does its own container's, once that is deleted and the shim lives on for others.
 * Rejects when something stays; calling it again goes on.
 */
export async function remove(flags: Flags): Promise<void> {
  const bundlePath = flags.bundle || checked('getcwd', '', sys.getcwd())
  unmountRootfs(`${bundlePath}/rootfs`)
  if (sandboxOf(bundlePath, flags.id) === flags.id) {
    const state = stateDir(stateRoot, flags.namespace, flags.id)
    if (exists(state) && !await servesOthers(state, flags.id)) await replay(state)
  }
  writeStdout(encode(DeleteResponse, { pid: 0, exitStatus: killedStatus, exitedAt: timestamp(realtimeNs()) }))
}

/** Whether the sandbox's shim answers, has deleted container `id` and stays for others. Asking it to shut down ends one that has none. */
async function servesOthers(state: string, id: string): Promise<boolean> {
  const socket = readJournal(state).find(resource => resource.kind === 'socket')
  if (socket?.kind !== 'socket') return false
  try {
    using connection = new Connection(connectUnix(socket.path))
    const shim = createClient(TaskDefinition, connect(connection))
    const gone = await shim.state({ id }, { timeoutMs: askTimeoutMs }).then(() => false, (error: unknown) => error instanceof RpcError && error.code === Code.NotFound)
    if (!gone) return false
    await shim.shutdown({ id }, { timeoutMs: askTimeoutMs })
    return exists(state)
  } catch {
    // No shim, or one that does not answer: nobody else will clean up.
    return false
  }
}

/** The bundle may be half made or half removed: without a readable config.json, the container is its own sandbox. */
function sandboxOf(bundlePath: string, id: string): string {
  try {
    return sandboxIdOf(readBundle(bundlePath), id)
  } catch {
    return id
  }
}

/** containerd may have mounted it. Every layer of mounts there goes. */
function unmountRootfs(path: string): void {
  for (;;) {
    const result = sys.umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW)
    if (result === -E.EINVAL || result === -E.ENOENT || result === -E.ENOTDIR) return
    if (result < 0) throw new SysError('umount', path, -result)
  }
}
