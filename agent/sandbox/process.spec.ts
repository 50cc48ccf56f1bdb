import { beforeEach, describe, expect, it, vi } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { Fd } from '../../native/ts/fd.ts'
import { Stdio as StdioRequest } from '../../protocol/gen/agent.ts'
import { message } from '../../protocol/message.ts'
import { Code } from '../../protocol/ttrpc/status.ts'
import { ContainerProcess } from '../container/process.ts'
import { Events } from '../events.ts'
import { Log } from '../log.ts'
import { Reaper } from '../pid1/reaper.ts'
import { Stdio } from '../streams/stdio.ts'
import { Streams } from '../streams/streams.ts'
import { SandboxProcess } from './process.ts'

const pid = 20

describe('a process of the sandbox', () => {
  let events: Events
  let reaper: Reaper
  let process: SandboxProcess
  const told = vi.fn()

  beforeEach(() => {
    fake.reset()
    told.mockClear()
    events = new Events()
    vi.spyOn(events, 'exit').mockImplementation(told)
    reaper = new Reaper()
    const streams = new Streams(new Fd(50, 'listener'), () => true, new Log())
    process = new SandboxProcess({ containerId: 'c', execId: 'e' }, Stdio.open('c/e', message(StdioRequest, {}), { streams, events }), events)
  })

  const run = (): void => process.run(ContainerProcess.cloned(pid, new Fd(fake.install({ what: 'pidfd', position: 0 }), 'pidfd')), reaper)
  const dies = (): void => {
    const dead = [{ pid, code: 1, status: 3, uid: 0 }]
    fake.onCall('waitid', () => dead.shift() ?? null)
    reaper.reap()
  }
  const nextTurn = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 2))

  it('tells its exit once, with its names', () => {
    run()
    dies()
    process.close()
    expect(told.mock.calls).toEqual([[expect.objectContaining({ containerId: 'c', execId: 'e', pid, exitStatus: 3 })]])
  })

  it('keeps its exit back until the request that started it is answered', async () => {
    const held = process.hold()
    run()
    dies()
    await nextTurn()
    expect(told).not.toHaveBeenCalled()
    held[Symbol.dispose]()
    // The answer is sent by the jobs of this turn.
    await Promise.resolve()
    expect(told).not.toHaveBeenCalled()
    await nextTurn()
    expect(told).toHaveBeenCalledTimes(1)
  })

  it('says that it has not started, then that it has ended', () => {
    expect(() => process.process).toThrow(expect.objectContaining({ code: Code.FailedPrecondition, message: 'exec e of container c has not started' }))
    run()
    expect(process.process.pid).toBe(pid)
    dies()
    expect(() => process.process).toThrow('exec e of container c has ended')
  })

  it('is gone after its exit was told and its outputs have ended', async () => {
    const gone = vi.fn()
    process.onGone(gone)
    run()
    expect(gone).not.toHaveBeenCalled()
    dies()
    await nextTurn()
    expect(gone).toHaveBeenCalledTimes(1)
    expect(fake.held().fds).not.toContain('pidfd')
  })
})
