import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exec, run } from './container.ts'
import { HostAgent } from './host.ts'

describe('the agent on the host, without a VM', () => {
  let agent: HostAgent

  beforeAll(async () => { agent = await HostAgent.start() })

  it('runs containers with exact output, input and exit status', async () => {
    const input = randomBytes(1_000_000)
    const { streams, finish } = await run(agent, 'host-input', ['sh', '-c', 'cat; echo done >&2; exit 4'], { stdin: true })
    await streams.write(input)
    await agent.agent.closeStdin({ containerId: 'host-input', execId: '', bytes: streams.sent })
    const { status, stdout, stderr } = await finish()
    expect([status, stdout.equals(input), stderr.toString()]).toEqual([4, true, 'done\n'])
  })

  it('runs further processes and a terminal, and removes all it made', async () => {
    const main = await run(agent, 'host-main', ['sleep', '1000'])
    const { streams, finish } = await exec(agent, 'host-main', 'shell', ['sh'], { stdin: true, terminal: true })
    await streams.write(Buffer.from('tty; hostname; exit 2\n'))
    expect(await finish()).toMatchObject({ status: 2, stdout: expect.toSatisfy((text: Buffer) => /\/dev\/pts\/0\r\ninside\r\n/.test(text.toString())) })
    const { pids } = await agent.agent.listProcesses({ containerId: 'host-main' })
    await agent.agent.signalProcess({ containerId: 'host-main', execId: '', signal: 15, all: true })
    await agent.agent.signalProcess({ containerId: 'host-main', execId: '', signal: 9, all: true })
    expect((await main.finish()).status).toBe(137)
    expect(pids.filter(pid => existsSync(`/proc/${pid}`))).toEqual([])
  })

  it('lets containers share a PID namespace whose PID 1 is no container, and ends what one leaves there', async () => {
    const pid = { podPidNamespace: true } as const
    const first = await run(agent, 'shared-1', ['sleep', '1001'], { pid })
    const second = await run(agent, 'shared-2', ['sh', '-c', 'cat /proc/1/comm; grep ^Uid /proc/1/status; ls /proc/1/root 2>&1; tr "\\0" " " < /proc/2/cmdline; (sleep 1002 &); (true &)'], { pid })
    const { stdout } = await second.finish()
    expect(stdout.toString()).toMatch(/^pause\nUid:\t65535\t65535\t65535\t65535\nls: .*(Permission denied|not permitted)\nsleep 1001 $/)
    const look = await run(agent, 'shared-3', ['sh', '-c', 'cat /proc/[0-9]*/comm; grep -c "^State:.Z" /proc/[0-9]*/status | grep -v :0'], { pid })
    expect((await look.finish()).stdout.toString().split('\n').sort()).toEqual(['', 'pause', 'sh', 'sleep'])
    await agent.agent.signalProcess({ containerId: 'shared-1', execId: '', signal: 9, all: false })
    expect((await first.finish()).status).toBe(137)
  })

  it('lets a container join the PID namespace of another one, and of none that has ended', async () => {
    const target = await run(agent, 'target', ['sleep', '1003'])
    const pid = { targetContainerId: 'target' }
    const { finish } = await run(agent, 'debugger', ['sh', '-c', 'tr "\\0" " " < /proc/1/cmdline'], { pid })
    expect((await finish()).stdout.toString()).toBe('sleep 1003 ')
    await agent.agent.signalProcess({ containerId: 'target', execId: '', signal: 9, all: false })
    await expect.poll(() => run(agent, 'late', ['true'], { pid }).then(() => '', (error: Error) => error.message)).toContain('container target has ended')
    await target.finish()
  })

  it('ends with its connection, and kills what still runs', async () => {
    await run(agent, 'host-left', ['sleep', '1000'])
    const { pids } = await agent.agent.listProcesses({ containerId: 'host-left' })
    expect(pids).toHaveLength(1)
    expect(await agent.stop()).toEqual({ status: 0, socketIsLeft: false })
    expect(pids.filter(pid => existsSync(`/proc/${pid}`))).toEqual([])
    // cgroup v2 has one hierarchy there, v1 a directory for each.
    const cgroups = ['', ...readdirSync('/sys/fs/cgroup')].map(name => `/sys/fs/cgroup/${name}/kata-ts/host-left`)
    expect(cgroups.filter(path => existsSync(path))).toEqual([])
  })

  afterAll(() => agent.stop())
})
