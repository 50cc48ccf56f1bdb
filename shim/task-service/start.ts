import { story } from '../../native/ts/fault.ts'
import type { StartRequest, StartResponse } from '../../protocol/gen/task.ts'
import { runEveryHook } from '../host-hooks.ts'
import type { Container } from '../sandbox/container.ts'
import { forwardStdinEnd } from './close-io.ts'
import { hookState, type TaskContext } from './context.ts'

/** Start: lets a created container's init run, or creates and starts an added exec. */
export async function start(context: TaskContext, request: StartRequest): Promise<StartResponse> {
  const container = context.sandbox.container(request.id)
  await (request.execId === '' ? startInit(context, container) : startExec(context, container, request.execId))
  return { pid: container.pid }
}

async function startInit({ sandbox, events }: TaskContext, container: Container): Promise<void> {
  const { init } = container
  const agent = await sandbox.agent()
  // A client may have made the container's network after Create (docker since 25).
  await sandbox.ports.network?.refresh()
  init.stdio.stdin?.start()
  init.starting()
  try {
    if (!container.isPause) await agent.startContainer({ containerId: container.id })
  } catch (error) {
    init.failed()
    throw error
  }
  if (init.state.is !== 'starting') throw sandbox.unavailable()
  init.running()
  sandbox.ports.timeline.mark('start')
  sandbox.ports.timeline.report(sandbox.ports.log)
  events.publish('start', { containerId: container.id, pid: container.pid })
  init.announced()
  // The lifecycle lets poststart hooks fail without failing the container (runtime.md, step 9).
  await runEveryHook(container.hooks.poststart, 'poststart', hookState(container, 'running'), error => sandbox.ports.log.warn(story(error), { container: container.id }))
}

async function startExec({ sandbox, events }: TaskContext, container: Container, execId: string): Promise<void> {
  const process = container.process(execId)
  const agent = await sandbox.agent()
  const { stdio } = process
  stdio.stdin?.start()
  process.starting()
  try {
    await Promise.all([
      stdio.connect(sandbox.dial),
      agent.execProcess({
        containerId: container.id,
        execId,
        process: container.execs.get(execId)?.spec ?? new Uint8Array(0),
        stdio: { ...stdio.streams, ...process.size, terminal: stdio.request.terminal },
      }),
    ])
  } catch (error) {
    process.failed()
    throw error
  }
  if (process.state.is !== 'starting') throw sandbox.unavailable()
  process.running()
  forwardStdinEnd(sandbox, process)
  events.publish('exec-started', { containerId: container.id, execId, pid: container.pid })
  process.announced()
}
