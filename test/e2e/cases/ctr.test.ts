import { createHash } from 'node:crypto'
import { spawn } from 'node:child_process'
import { release } from 'node:os'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { uniqueId } from '../container.ts'
import { expectNothingLeft, takeInventory } from '../leaks.ts'
import { forEachLane } from '../matrix.ts'
import { busybox, Stack } from '../stack.ts'
import type { CommandResult } from '../stack.ts'

forEachLane('ctr', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  const runArguments = (flags: readonly string[], command: readonly string[], id = uniqueId()): string[] =>
    ['run', '--rm', '--runtime', lane.runtimeName, ...flags, busybox, id, ...command]
  const ctrRun = (command: readonly string[], flags: readonly string[] = []): Promise<CommandResult> =>
    stack.ctr(runArguments(flags, command))
  /** Starts a detached container that is removed when the test ends. */
  const detached = async (command: readonly string[], flags: readonly string[] = []): Promise<string> => {
    const id = uniqueId()
    onTestFinished(async () => {
      await stack.ctr(['task', 'rm', '-f', id])
      await stack.ctr(['container', 'rm', id])
    })
    const { code, stderr } = await stack.ctr(['run', '-d', '--runtime', lane.runtimeName, ...flags, busybox, id, ...command])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return id
  }

  it('passes on exit codes and keeps stdout and stderr apart, and leaves nothing', async () => {
    const before = takeInventory(stack)
    expect((await ctrRun(['true'])).code).toBe(0)
    expect((await ctrRun(['false'])).code).toBe(1)
    const both = await ctrRun(['sh', '-c', 'echo out; echo err >&2; exit 42'])
    expect({ code: both.code, out: both.text, err: both.stderr }).toEqual({ code: 42, out: 'out\n', err: 'err\n' })
    await expectNothingLeft(stack, before)
  })

  it.skipIf(lane.runtime === 'runc')('shows the guest\'s own kernel', async () => {
    const { text } = await ctrRun(['uname', '-r'])
    expect(text.trim()).toMatch(/^\d+\.\d+/)
    expect(text.trim()).not.toBe(release())
  })

  it('feeds stdin to its end', async () => {
    const child = spawn(`${stack.directory}/bin/ctr`, runArguments([], ['sh', '-c', 'echo ready; cat; exit 4']), { stdio: ['pipe', 'pipe', 'inherit'] })
    const chunks: Buffer[] = []
    const sent = Buffer.alloc(300_000, 'stdin ')
    // ctr loses an end of input that comes before the task exists, hence the wait for the first line.
    child.stdout.on('data', (chunk: Buffer) => { if (chunks.push(chunk) === 1) child.stdin.end(sent) })
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(code).toBe(4)
    expect(Buffer.concat(chunks).equals(Buffer.concat([Buffer.from('ready\n'), sent]))).toBe(true)
  })

  it('delivers 64 MiB of output unchanged', async () => {
    // Numbers up to 200,000 are 1.3 MiB that no repetition of a block can imitate; cat is cheap where code is interpreted.
    const numbers = Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join('')
    const blocks = Math.ceil((64 << 20) / numbers.length)
    const script = `seq 1 200000 >/run/numbers; i=0; while [ $i -lt ${blocks} ]; do echo "block $i"; cat /run/numbers; i=$((i+1)); done`
    const expected = createHash('sha256')
    let length = 0
    for (let block = 0; block < blocks; block++) {
      const text = `block ${block}\n${numbers}`
      expected.update(text)
      length += text.length
    }
    const { code, stdout } = await ctrRun(['sh', '-c', script])
    expect({ code, length: stdout.length }).toEqual({ code: 0, length })
    expect(createHash('sha256').update(stdout).digest('hex')).toBe(expected.digest('hex'))
  }, 120_000)

  it('names a command that does not exist, and leaves nothing', async () => {
    const before = takeInventory(stack)
    const { code, stderr } = await ctrRun(['/no/such/program'])
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/\/no\/such\/program/)
    expect(stderr).toMatch(/no such file|not found|ENOENT/i)
    await expectNothingLeft(stack, before)
  })

  it('names a working directory that is not one', async () => {
    const { code, stderr } = await ctrRun(['true'], ['--cwd', '/etc/passwd/deeper'])
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/\/etc\/passwd|cwd|chdir|not a directory/)
  })

  it('says which image is missing', async () => {
    const { code, stderr } = await stack.ctr(['run', '--rm', '--runtime', lane.runtimeName, 'docker.io/library/absent:1', uniqueId(), 'true'])
    expect(code).not.toBe(0)
    expect(stderr).toContain('docker.io/library/absent:1')
  })

  it('serves a detached container: task list, ps, metrics, exec, attach to its end', async () => {
    const id = await detached(['sh', '-c', 'while [ ! -e /end ]; do sleep 0.05; done; echo over; exit 7'])
    expect((await stack.ctr(['task', 'ls'])).text).toMatch(new RegExp(`${id}\\s+\\d+\\s+RUNNING`))
    expect((await stack.ctr(['task', 'ps', id])).text).toMatch(/^PID/)
    const metrics = await stack.ctr(['task', 'metrics', id])
    expect(metrics.stderr).toBe('')
    expect(metrics.text).toMatch(/memory\.(usage|current|usage_in_bytes)\S*\s+[1-9]\d*/)

    const attached = stack.ctr(['task', 'attach', id])
    const exec = await stack.ctr(['task', 'exec', '--exec-id', 'e1', id, 'sh', '-c', 'echo from exec; echo error >&2; touch /end; exit 3'])
    expect({ code: exec.code, out: exec.text, err: exec.stderr }).toEqual({ code: 3, out: 'from exec\n', err: 'error\n' })
    // attach deletes the task when it ends.
    expect(await attached).toMatchObject({ code: 7 })
    expect((await stack.ctr(['task', 'ls', '-q'])).text).not.toContain(id)
  })

  it('names the command that an exec does not find', async () => {
    const id = await detached(['sleep', '1000'])
    const { code, stderr } = await stack.ctr(['task', 'exec', '--exec-id', 'e1', id, '/no/such/program'])
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/\/no\/such\/program/)
    expect((await stack.ctr(['task', 'exec', '--exec-id', 'e2', id, 'echo', 'alive'])).text).toBe('alive\n')
  })

  it('kills by ctr: TERM to a shell that traps it, KILL to one that does not', async () => {
    const id = await detached(['sh', '-c', 'trap "exit 11" TERM; while :; do sleep 0.05; done'])
    const wait = stack.client.call('tasks.Wait', { container_id: id, exec_id: '' })
    // The trap is set when the shell answers an exec from inside its loop: its only child is then a sleep.
    await expect.poll(async () => (await stack.ctr(['task', 'exec', '--exec-id', uniqueId(), id, 'pidof', 'sleep'])).code, { timeout: 20_000 }).toBe(0)
    expect((await stack.ctr(['task', 'kill', '-s', 'SIGTERM', id])).code).toBe(0)
    expect((await wait).exit_status).toBe(11)
  })

  it('gives ctr run --tty a terminal', async () => {
    // script(1) gives ctr the terminal it insists on; its typescript goes to stdout.
    const command = [`${stack.directory}/bin/ctr`, ...runArguments(['--tty'], ['sh', '-c', '"test -t 0 && test -t 1 && echo terminal; exit 9"'])].join(' ')
    const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(Buffer.concat(chunks).toString()).toMatch(/terminal\r+\n/)
    expect(code).toBe(9)
  })
})
