import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../native/ts/fake/sys.ts'
import { type HookState, runEveryHook, runHooks } from './host-hooks.ts'

const state: HookState = { id: 'c1', status: 'creating', pid: 4711, bundle: '/b', annotations: { a: 'b' } }

/** Lets each hook that is started end with the next of `statuses`; gives what each read from stdin. */
function hooksEndWith(...statuses: number[]): void {
  fake.onCall('clone3', () => {
    const started = fake.addProcess()
    setTimeout(() => fake.exitProcess(started.pid, statuses.shift() ?? 0), 1)
    return started
  })
}

beforeEach(() => fake.reset())

describe('runHooks', () => {
  it('gives each hook the state of the container on its stdin, one after the other', async () => {
    hooksEndWith(0, 0)
    await runHooks([{ path: '/hook/a' }, { path: '/hook/b' }], 'createRuntime', state)
    const written = fake.callsOf('pwrite').map(([, bytes]) => JSON.parse(new TextDecoder().decode(bytes as Uint8Array)) as unknown)
    expect(written).toEqual([{ ociVersion: '1.0.2', ...state }, { ociVersion: '1.0.2', ...state }])
    expect(fake.held()).toMatchObject({ fds: [], processes: [] })
  })

  it('stops at the first that fails, and says which and how', async () => {
    hooksEndWith(3, 0)
    await expect(runHooks([{ path: '/hook/a' }, { path: '/hook/b' }], 'createRuntime', state)).rejects.toThrow('createRuntime hook /hook/a exited with status 3')
    expect(fake.callsOf('clone3')).toHaveLength(1)
  })

  it('runs every hook of a moment at which none may fail the lifecycle, and tells of each that did', async () => {
    hooksEndWith(3, 0, 4)
    const told: string[] = []
    await runEveryHook(['a', 'b', 'c'].map(name => ({ path: `/hook/${name}` })), 'poststop', state, error => told.push(String(error)))
    expect(fake.callsOf('clone3')).toHaveLength(3)
    expect(told).toEqual([expect.stringContaining('/hook/a exited with status 3'), expect.stringContaining('/hook/c exited with status 4')])
  })

  it('kills one that takes longer than its timeout', async () => {
    fake.onCall('pidfdSendSignal', (pidfd: number) => {
      const pid = fake.byPidfd(pidfd)
      if (pid !== undefined) fake.exitProcess(pid, 9, 2)
      return 0
    })
    await expect(runHooks([{ path: '/hook/slow', timeout: 0.02 }], 'poststart', state)).rejects.toThrow('poststart hook /hook/slow took longer than 20 ms')
    expect(fake.callsOf('pidfdSendSignal').map(([, signal]) => signal)).toEqual([9])
    expect(fake.held()).toMatchObject({ fds: [], processes: [] })
  })
})
