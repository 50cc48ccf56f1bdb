import { story } from '../../native/ts/fault.ts'
import { SIGKILL } from '../../native/ts/constants/signal.ts'
import type { DeleteRequest, DeleteResponse } from '../../protocol/gen/task.ts'
import { runEveryHook } from '../host-hooks.ts'
import type { ProcessExit } from '../process/state.ts'
import { Refusal } from '../refusal.ts'
import type { Container } from '../sandbox/container.ts'
import { expectEnd } from '../sandbox/kill-deadline.ts'
import { hookState, type TaskContext } from './context.ts'
import { exitFields } from './exit-fields.ts'
import { signalPause } from './pause-container.ts'

/** Delete: of an exec, or of a container that has stopped (or was never started) with all it holds. */
export async function remove(context: TaskContext, request: DeleteRequest): Promise<DeleteResponse> {
  const container = context.sandbox.container(request.id)
  const exit = await (request.execId === '' ? deleteContainer(context, container) : deleteExec(container, request.execId))
  return { pid: container.pid, ...exitFields(exit) }
}

async function deleteExec(container: Container, execId: string): Promise<ProcessExit> {
  const process = container.process(execId)
  // One that was added and never started ends here.
  if (process.state.is === 'added') process.failed()
  const exit = await process.delete()
  container.execs.delete(execId)
  return exit
}

/** In the teardown order: execs → init → container in the guest → host hooks → share. */
async function deleteContainer(context: TaskContext, container: Container): Promise<ProcessExit> {
  const { sandbox, events } = context
  const { init } = container
  const { log } = sandbox.ports
  const complain = (error: unknown): void => log.warn(`delete: ${story(error)}`, { container: container.id })
  if (init.state.is === 'created') await killCreated(context, container)
  if (init.state.is !== 'stopped') throw new Refusal('precondition', `container ${container.id} cannot be deleted: it is ${init.state.is}`)
  for (const execId of [...container.execs.keys()]) await deleteExec(container, execId).catch(complain)
  const exit = await init.delete()
  // The sandbox's own container, and no other left: its VM is ended instead, which Shutdown is about to ask for.
  // Nothing is lost: what processes wrote went to the host when they closed it, and they have ended. Without a VM
  // the agent is asked: cgroups on the host do not go with it.
  const last = container.id === sandbox.identity.id && sandbox.containers.size === 1
  const goesWithVm = last && sandbox.ports.hypervisor.ownKernel
  if (!container.isPause && !goesWithVm) await sandbox.liveAgent?.deleteContainer({ containerId: container.id, force: true }).catch(complain)
  await runEveryHook(container.hooks.poststop, 'poststop', hookState(container, 'stopped'), complain)
  sandbox.containers.delete(container.id)
  sandbox.ports.size.remove(container.id)
  sandbox.ports.cpuset.remove(container.id)
  await container.release().catch(complain)
  if (last) void sandbox.stop()
  events.publish('delete', { containerId: container.id, id: container.id, pid: container.pid, ...exitFields(exit) })
  return exit
}

async function killCreated({ sandbox }: TaskContext, container: Container): Promise<void> {
  if (container.isPause) return signalPause(container, SIGKILL)
  const agent = await sandbox.agent()
  expectEnd(sandbox, container, container.init)
  // A guest that cannot do it is ended in place of the container, which has not run yet.
  await agent.signalProcess({ containerId: container.id, execId: '', signal: SIGKILL, all: false })
    .catch((error: unknown) => sandbox.ports.log.warn(`delete: ${story(error)}`, { container: container.id }))
  await container.init.wait()
}
