import { beforeEach, describe, expect, it } from 'vitest'
import { E } from '../../../native/ts/errno.ts'
import { fake } from '../../../native/ts/fake/sys.ts'
import { configFrom } from '../../config/config.ts'
import { silentLog } from '../../log.ts'
import { Timeline } from '../../timeline.ts'
import { NoVm } from './none.ts'

const state = '/run/kata-ts/default/s1'
const config = configFrom([{ path: 'x', text: '[hypervisor]\ntype = "none"\n[agent]\npath = "/bin/agent"' }])
const sandbox = () => new NoVm(config, { id: 's1', stateDir: state, shareDir: `${state}/share`, log: silentLog, timeline: new Timeline() })

describe('no VM', () => {
  beforeEach(() => {
    fake.reset()
    fake.put('/bin/agent', 'x', 0o755)
    fake.makeParents(`${state}/x`)
  })
  const pid = () => [...fake.processes.keys()][0] ?? 0

  it('starts the agent as the init of its own pid and mount namespaces', async () => {
    const vm = sandbox()
    await vm.launch()
    expect(fake.callsOf('clone3')).toEqual([[{ flags: 0x20000000 | 0x00020000, exitSignal: 17 }]])
    expect(vm.pid).toBe(pid())
    await vm.stop()
    await vm.stop()
    expect(fake.held()).toEqual({ fds: [], mounts: [], processes: [], watches: [] })
  })

  it('hands the control connection over once', async () => {
    const vm = sandbox()
    await vm.launch()
    const control = await vm.acceptAgent()
    await expect(vm.acceptAgent()).rejects.toThrow('the agent cannot be reached: agent runs')
    await vm.stop()
    expect(control.open).toBe(true)
    control.close()
    expect(fake.held().fds).toEqual([])
  })

  it('waits for the agent to listen before it connects a stream', async () => {
    const vm = sandbox()
    await vm.launch()
    const answers = [-E.ENOENT, -E.ECONNREFUSED, 0]
    fake.onCall('connectUnix', () => answers.shift())
    const stream = await vm.connect()
    expect(answers).toEqual([])
    stream.close()
    await vm.stop()
    expect(fake.held().fds).toEqual([])
  })

  it('tells how the agent ended', async () => {
    const vm = sandbox()
    await vm.launch()
    fake.exitProcess(pid(), 70)
    expect(await vm.wait()).toEqual({ status: 70, signal: undefined, text: 'agent exited with status 70' })
    await expect(vm.connect()).rejects.toThrow('the agent cannot be reached: agent exited with status 70')
    await vm.stop()
  })

  it.each([['openat', 0], ['openat', 1], ['socketpair', 0], ['pipe2', 0], ['pipe2', 1], ['clone3', 0], ['watch', 0]] as const)('when %s fails after %i, launch rejects and leaves nothing', async (call, after) => {
    fake.fail(call, E.EMFILE, after)
    await expect(sandbox().launch()).rejects.toThrow('EMFILE')
    expect(fake.held()).toEqual({ fds: [], mounts: [], processes: [], watches: [] })
  })

  it('says what to do where the agent is not installed', async () => {
    fake.nodes.delete('/bin/agent')
    await expect(sandbox().launch()).rejects.toThrow('/bin/agent does not exist or is not executable; install it, or set agent.path')
  })
})
