import { Connection } from '../native/ts/connection.ts'
import { exists } from '../native/ts/file.ts'
import { connectUnix } from '../native/ts/socket.ts'
import { TaskDefinition } from '../protocol/gen/task.ts'
import { connect, createClient } from '../protocol/ttrpc/client.ts'
import { Code, RpcError } from '../protocol/ttrpc/status.ts'
import type { Flags } from './flags.ts'
import { readJournal, replay } from './journal.ts'
import { defaultSocketDir, nameOf, pathOfAddress, socketPath } from './paths.ts'

/** How long a shim may take to say what it serves: of the five seconds that containerd gives `delete` in all. */
const askTimeoutMs = 1_000

/**
 * Removes the sandbox whose state is in `state`, unless it is not to be: it belongs to another containerd
 * of this host, or its shim has deleted this container and lives on for others. Rejects when something stays.
 */
export async function removeSandbox(state: string, flags: Flags): Promise<void> {
  const socket = readJournal(state).find(resource => resource.kind === 'socket')
  if (socket?.kind === 'socket') {
    // The name tells the containerd; the directory is the daemon's own choice since 2.3.
    const ours = nameOf(pathOfAddress(flags.socket) || socketPath(defaultSocketDir, flags.address, flags.namespace, flags.id))
    if (nameOf(socket.path) !== ours) return
    if (await servesOthers(socket.path, state, flags.id)) return
  }
  await replay(state)
}

/** Whether the shim at `path` answers, has deleted container `id` and stays for others. Asking it to shut down ends one that has none. */
async function servesOthers(path: string, state: string, id: string): Promise<boolean> {
  try {
    using connection = new Connection(connectUnix(path))
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
