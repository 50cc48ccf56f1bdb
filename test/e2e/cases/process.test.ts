import { afterAll, beforeAll, expect, it } from 'vitest'
import { Container } from '../container.ts'
import { forEachLane } from '../matrix.ts'
import { Stack } from '../stack.ts'

const SIGTERM = 15
const SIGKILL = 9

forEachLane('processes', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  it('gives the process its environment, directory, user, groups and host name', async () => {
    const container = await Container.create(stack, lane, {
      args: ['sh', '-c', 'echo "$KEY|$(pwd)|$(id -u):$(id -g):$(id -G)|$(hostname)"'],
      spec: (spec) => {
        spec.hostname = 'sea-cave'
        spec.process.env.push('KEY=a value')
        spec.process.cwd = '/var/www'
        spec.process.user = { uid: 1000, gid: 1000, additionalGids: [29, 100] }
      },
    })
    await container.start()
    expect(await container.finish()).toEqual({ status: 0, stdout: 'a value|/var/www|1000:1000:1000 29 100|sea-cave\n', stderr: '' })
  })

  it('runs execs beside the init: status, separate outputs, input to its end, own user', async () => {
    const container = await Container.create(stack, lane)
    await container.start()
    expect(await container.exec(['sh', '-c', 'echo out; echo err >&2; exit 42'])).toEqual({ status: 42, stdout: 'out\n', stderr: 'err\n' })
    expect((await container.exec(['id', '-u'], { process: (process) => { process.user = { uid: 33, gid: 33 } } })).stdout).toBe('33\n')
    expect((await container.exec(['cat', '/proc/1/comm'])).stdout).toBe('sleep\n')

    const cat = await container.addExec(['cat'], { stdin: true })
    await cat.start()
    cat.io.write('first\n')
    await cat.output.until(/first/)
    cat.io.write('second\n')
    await cat.closeInput()
    expect(await cat.finish()).toEqual({ status: 0, stdout: 'first\nsecond\n', stderr: '' })
  })

  it('loses no byte of 100 execs that end at once', async () => {
    const container = await Container.create(stack, lane)
    await container.start()
    const line = 'x'.repeat(200)
    for (let run = 0; run < 100; run++) {
      const { stdout, status } = await container.exec(['echo', `${run} ${line}`])
      expect({ stdout, status }).toEqual({ stdout: `${run} ${line}\n`, status: 0 })
    }
  }, 120_000)

  it('keeps the output of a process that ended before anybody read it', async () => {
    const container = await Container.prepare(stack, lane, { args: ['echo', 'patience'], readLater: true })
    // runc answers Create only when there is a reader; that the process had its time is the point of the wait.
    const started = container.createTask().then(() => container.start())
    await new Promise((resolve) => setTimeout(resolve, 2000))
    container.io.read()
    await started
    expect(await container.finish()).toEqual({ status: 0, stdout: 'patience\n', stderr: '' })
  })

  it('names the command that does not exist, in an exec, and keeps the container', async () => {
    const container = await Container.create(stack, lane)
    await container.start()
    const process = await container.addExec(['/no/such/program'])
    await expect(process.start()).rejects.toThrow(/no\/such\/program/)
    expect(await container.shell('echo still here')).toBe('still here\n')
  })

  it('gives an exec a terminal with the size that ResizePty sets', async () => {
    const container = await Container.create(stack, lane)
    await container.start()
    const terminal = await container.addExec(['sh', '-c', 'read go; stty size; test -t 0 && test -t 1 && test -t 2 && echo all'],
      { stdin: true, terminal: true })
    await terminal.start()
    await terminal.resize(101, 37)
    terminal.io.write('go\n')
    const { status, stdout } = await terminal.finish()
    expect(stdout).toContain('37 101')
    expect(stdout).toContain('all')
    expect(status).toBe(0)
  })

  it('gives the init a terminal of which it is the session leader', async () => {
    const container = await Container.create(stack, lane, { args: ['sh'], terminal: true, stdin: true })
    await container.start()
    await container.resize(90, 30)
    container.io.write('stty size; tty; exit 5\n')
    const { status, stdout } = await container.finish()
    expect(status).toBe(5)
    expect(stdout).toMatch(/30 90/)
    expect(stdout).toMatch(/\/dev\/(pts\/0|console)/)
  })

  it('hands signals on: a trap of TERM runs, KILL is 137, an unhandled TERM in an exec is 143', async () => {
    const container = await Container.create(stack, lane, { args: ['sh', '-c', 'trap "echo caught; exit 3" TERM; echo ready; while :; do sleep 0.05; done'] })
    await container.start()
    await container.output.until(/ready/)
    const victim = await container.addExec(['sleep', '1000'])
    await victim.start()
    await victim.kill(SIGTERM)
    expect((await victim.finish()).status).toBe(143)
    await container.kill(SIGTERM)
    expect(await container.finish()).toMatchObject({ status: 3, stdout: 'ready\ncaught\n' })

    const second = await Container.create(stack, lane)
    await second.start()
    await second.kill(SIGKILL)
    expect((await second.finish()).status).toBe(137)
  })

  it('kills every process with all, execs included', async () => {
    const container = await Container.create(stack, lane, { args: ['sh', '-c', 'sleep 1000 & echo ready; wait'] })
    await container.start()
    await container.output.until(/ready/)
    const exec = await container.addExec(['sleep', '1000'])
    await exec.start()
    await container.kill(SIGKILL, true)
    expect((await container.finish()).status).toBe(137)
    expect((await exec.finish()).status).toBe(137)
  })

  it('lists the pids that the host sees: never none', async () => {
    const container = await Container.create(stack, lane)
    await container.start()
    const exec = await container.addExec(['sleep', '1000'])
    await exec.start()
    const { processes } = await stack.client.call('tasks.ListPids', { container_id: container.containerId })
    expect(processes.map((process) => process.pid)).toContain((await container.state()).pid)
    // Pids mean the host's, and there a sandbox with its own kernel is one process.
    expect(processes).toHaveLength(lane.runtime === 'runc' ? 2 : 1)
  })
})
