import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CreateSandboxResponse } from '../../protocol/gen/agent.ts'
import { Code } from '../../protocol/ttrpc/status.ts'
import { exec, run, runBesideAgent } from './container.ts'
import { Guest } from './guest.ts'

let guest: Guest
let sandbox: CreateSandboxResponse

beforeAll(async () => {
  guest = await Guest.boot(process.env.KATA_TS_DEBUG ? ['kata_ts.debug'] : [])
  sandbox = await guest.agent.createSandbox({
    sandboxId: 'test', hostname: 'sandbox', realtimeNs: BigInt(Date.now()) * 1_000_000n, entropy: randomBytes(64), shareTag: 'kata-ts', logLevel: 'debug',
  })
})

afterAll(async () => {
  expect(await guest.stop(), guest.console).toBe(0)
  if (process.env.KATA_TS_DEBUG) console.log(guest.console)
})

describe('the sandbox', () => {
  it('tells its kernel, memory and start-up times', () => {
    expect(sandbox).toMatchObject({ kernelRelease: expect.stringMatching(/^6\.12/), onlineCpus: 1 })
    expect(sandbox.memoryTotalBytes).toBeGreaterThan(200n * 1024n * 1024n)
    expect(sandbox.nowNs).toBeGreaterThan(sandbox.agentStartNs)
  })

  it('is created once', async () => {
    await expect(guest.agent.createSandbox({ sandboxId: 'again' })).rejects.toMatchObject({ code: Code.AlreadyExists })
  })
})

describe('a container', () => {
  it('runs a program in its own kernel, root and names', async () => {
    const { finish } = await run(guest, 'first', ['sh', '-c', 'hostname; readlink /proc/self; ls /; id -u; echo problem >&2; exit 7'])
    const { status, stdout, stderr } = await finish()
    expect(stdout.toString().split('\n').slice(0, 2)).toEqual(['inside', expect.stringMatching(/^\d$/)])
    expect(stderr.toString()).toBe('problem\n')
    expect(status).toBe(7)
  })

  it('has a loopback interface that is up', async () => {
    const { finish } = await run(guest, 'loopback', ['ping', '-c', '1', '-W', '2', '127.0.0.1'])
    expect(await finish()).toMatchObject({ status: 0 })
  })

  it('loses no byte of a process that ends at once', async () => {
    for (let round = 0; round < 20; round++) {
      const { finish } = await run(guest, `fast-${round}`, ['echo', `line ${round}`])
      const { stdout, status } = await finish()
      expect([status, stdout.toString()]).toEqual([0, `line ${round}\n`])
    }
  })

  it('delivers 64 MiB of output whole', async () => {
    const { finish } = await run(guest, 'large', ['dd', 'if=/dev/zero', 'bs=1M', 'count=64'])
    const { stdout, status } = await finish()
    expect([status, stdout.length]).toEqual([0, 64 << 20])
  })

  it('gives its input to the program, to its end', async () => {
    const input = randomBytes(5_000_000)
    const { streams, finish } = await run(guest, 'input', ['cat'], { stdin: true })
    await streams.write(input)
    await guest.agent.closeStdin({ containerId: 'input', execId: '', bytes: streams.sent })
    const { stdout, status } = await finish()
    expect(status).toBe(0)
    expect(stdout.equals(input)).toBe(true)
  })

  it('sees the end of an empty input', async () => {
    const { finish } = await run(guest, 'empty-input', ['cat'], { stdin: true })
    await guest.agent.closeStdin({ containerId: 'empty-input', execId: '', bytes: 0n })
    expect(await finish()).toMatchObject({ status: 0, stdout: Buffer.alloc(0) })
  })

  it('goes on when nobody reads its output any more', async () => {
    const { streams } = await run(guest, 'unread', ['dd', 'if=/dev/zero', 'bs=1M', 'count=8'])
    streams.sockets.stdout.destroy()
    expect((await guest.event('exit', value => value.containerId === 'unread')).exitStatus).toBe(0)
    await guest.agent.deleteContainer({ containerId: 'unread', force: false })
  })

  it('has a terminal of the size asked for, which can change', async () => {
    const { streams, finish } = await run(guest, 'terminal', ['sh'], { stdin: true, terminal: true })
    await streams.write(Buffer.from('stty size\n'))
    await streams.until('24 80')
    await guest.agent.resizePty({ containerId: 'terminal', execId: '', width: 132, height: 50 })
    await streams.write(Buffer.from('stty size; tty; exit 3\n'))
    const { status, stdout } = await finish()
    expect(stdout.toString()).toMatch(/50 132\r\n\/dev\/pts\/0\r\n/)
    expect(status).toBe(3)
  })

  it('cannot write the agent’s binary, even beside the agent as root', async () => {
    const { stdout, stderr, status } = await runBesideAgent(guest, 'overwrite', 'head -c 4 /proc/1/exe; : >> /proc/1/exe')
    expect(stdout.toString()).toContain('ELF')
    expect(stderr.toString()).toContain('Read-only file system')
    expect(status).not.toBe(0)
  })

  it('tells of its exit at once and keeps its output open while a child of it writes', async () => {
    const main = await run(guest, 'keeper', ['sleep', '100'])
    const child = await exec(guest, 'keeper', 'parent', ['sh', '-c', '(sleep 1; echo later) & echo now'])
    const exit = await guest.event('exit', value => value.execId === 'parent')
    expect(exit.exitStatus).toBe(0)
    expect(child.streams.text('stdout')).not.toContain('later')
    expect((await child.finish()).stdout.toString()).toBe('now\nlater\n')
    await guest.agent.signalProcess({ containerId: 'keeper', execId: '', signal: 9, all: false })
    expect((await main.finish()).status).toBe(137)
  })
})

describe('a running container', () => {
  let main: Awaited<ReturnType<typeof run>>

  beforeAll(async () => { main = await run(guest, 'main', ['sh', '-c', 'sleep 1000 & wait'], { resources: { memory: { limit: 64 << 20 }, pids: { limit: 64 } } }) })

  it('runs further processes, 100 one after the other, with every byte of their output', async () => {
    for (let round = 0; round < 100; round++) {
      const { finish } = await exec(guest, 'main', `fast-${round}`, ['echo', `line ${round}`])
      const { stdout, status } = await finish()
      expect([status, stdout.toString()]).toEqual([0, `line ${round}\n`])
    }
  })

  it('names a program that does not exist, and goes on', async () => {
    await expect(exec(guest, 'main', 'missing', ['no-such-program'])).rejects.toThrow(/no-such-program.*(not found|ENOENT)/)
    expect((await (await exec(guest, 'main', 'after', ['true'])).finish()).status).toBe(0)
  })

  it('counts what it uses', async () => {
    const stats = await guest.agent.statsContainer({ containerId: 'main' })
    expect(stats.memory?.limitBytes).toBe(64n << 20n)
    expect(stats.memory?.usageBytes).toBeGreaterThan(0n)
    expect(stats.memory?.stat.anon).toBeGreaterThan(0n)
    expect(stats.pids).toMatchObject({ current: 2n, limit: 64n })
    expect(stats.cpu?.usageUsec).toBeGreaterThan(0n)
  })

  it('is frozen and thawed', async () => {
    await guest.agent.pauseContainer({ containerId: 'main' })
    await expect(guest.agent.pauseContainer({ containerId: 'main' })).rejects.toMatchObject({ code: Code.FailedPrecondition })
    await guest.agent.resumeContainer({ containerId: 'main' })
    expect((await guest.agent.listProcesses({ containerId: 'main' })).pids).toHaveLength(2)
  })

  it('refuses what cannot be', async () => {
    const { agent } = guest
    await expect(agent.startContainer({ containerId: 'main' })).rejects.toMatchObject({ code: Code.FailedPrecondition })
    await expect(agent.startContainer({ containerId: 'absent' })).rejects.toMatchObject({ code: Code.NotFound })
    await expect(agent.deleteContainer({ containerId: 'main', force: false })).rejects.toMatchObject({ code: Code.FailedPrecondition })
    await expect(agent.createContainer({ containerId: '../x' })).rejects.toMatchObject({ code: Code.InvalidArgument })
    await expect(agent.createContainer({ containerId: 'main', spec: new TextEncoder().encode('{}') })).rejects.toMatchObject({ code: Code.AlreadyExists })
    await expect(agent.signalProcess({ containerId: 'main', execId: 'absent', signal: 9, all: false })).rejects.toMatchObject({ code: Code.NotFound })
    await expect(agent.events({}).next()).rejects.toMatchObject({ code: Code.FailedPrecondition })
  })

  it('tells when its memory ran out', async () => {
    const { finish } = await exec(guest, 'main', 'hungry', ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=200M', 'count=1'])
    expect(await guest.event('oom', value => value.containerId === 'main')).toBeDefined()
    await finish()
  })

  it('loses every process to a signal to all', async () => {
    await guest.agent.signalProcess({ containerId: 'main', execId: '', signal: 9, all: true })
    expect((await main.finish()).status).toBe(137)
    await expect(guest.agent.statsContainer({ containerId: 'main' })).rejects.toMatchObject({ code: Code.NotFound })
  })
})
