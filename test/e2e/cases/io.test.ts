import { createHash } from 'node:crypto'
import { execFileSync, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { Container } from '../container.ts'
import { temporaryDirectory } from '../directory.ts'
import { forEachLane } from '../matrix.ts'
import { Stack } from '../stack.ts'

/** KATA_TS_E2E_STREAM_MIB=1024 sends a gigabyte each way. */
const streamMib = Number(process.env['KATA_TS_E2E_STREAM_MIB'] ?? 256)
/** Nine-digit lines: their number is the size, and no lost or doubled block goes unseen. */
const lines = Math.ceil((streamMib << 20) / 10)
const numbers = (program: string): string => `${program} 100000000 ${100_000_000 + lines - 1}`

/** SHA-256 of what `command` writes, or of what is in a FIFO, without holding it in memory. */
function hashOf(command: string): Promise<string> {
  const child = spawn('sh', ['-c', `${command} | sha256sum`], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => { child.kill('SIGKILL') })
  return new Promise((resolve) => { child.stdout.on('data', (text: Buffer) => resolve(text.toString().slice(0, 64))) })
}

forEachLane('streams', (lane) => {
  let stack: Stack
  let expected: string
  beforeAll(async () => {
    stack = Stack.open(lane.containerd)
    expected = execFileSync('sh', ['-c', `${numbers('seq')} | sha256sum`]).toString().slice(0, 64)
  })
  afterAll(() => stack.client.close())

  it(`delivers ${streamMib} MiB of output unchanged`, async () => {
    // One block is made in the guest, the rest are its copies: an interpreter of every guest instruction is no fast generator.
    const block = Array.from({ length: 100_000 }, (_, index) => `${100_000_000 + index}\n`).join('')
    const blocks = Math.ceil((streamMib << 20) / block.length)
    const hash = createHash('sha256')
    for (let index = 0; index < blocks; index++) hash.update(`block ${index}\n${block}`)
    const container = await Container.prepare(stack, lane, {
      readLater: true, args: ['sh', '-c', `seq 100000000 100099999 >/run/block; i=0; while [ $i -lt ${blocks} ]; do echo "block $i"; cat /run/block; i=$((i+1)); done; exit 6`],
    })
    const got = hashOf(`cat ${container.io.stdout}`)
    const errors = hashOf(`cat ${container.io.stderr}`)
    await container.createTask()
    await container.start()
    expect(await container.wait()).toBe(6)
    expect(await got).toBe(hash.digest('hex'))
    expect(await errors).toBe(createHash('sha256').digest('hex'))
  }, 600_000)

  it(`takes ${streamMib} MiB of input to its end and gives them back`, async () => {
    const container = await Container.prepare(stack, lane, { readLater: true, stdin: true, args: ['cat'] })
    const got = hashOf(`cat ${container.io.stdout}`)
    void hashOf(`cat ${container.io.stderr}`)
    await container.createTask()
    await container.start()
    const writer = spawn('sh', ['-c', `exec ${numbers('seq')} >${container.io.stdin}`], { stdio: ['ignore', 'inherit', 'inherit'] })
    await new Promise((resolve) => writer.on('close', resolve))
    await container.closeInput()
    expect(await container.wait()).toBe(0)
    expect(await got).toBe(expected)
  }, 600_000)

  it('keeps stdout and stderr apart, each in its order', async () => {
    const container = await Container.create(stack, lane, { args: ['sh', '-c', 'i=0; while [ $i -lt 3000 ]; do echo $i; echo $i >&2; i=$((i+1)); done'] })
    await container.start()
    const { stdout, stderr } = await container.finish()
    const all = Array.from({ length: 3000 }, (_, index) => `${index}\n`).join('')
    expect([stdout === all, stderr === all]).toEqual([true, true])
  })

  it('copies a tree in and out as kubectl cp does: tar on stdin, tar on stdout', async () => {
    const directory = temporaryDirectory()
    writeFileSync(`${directory}/file`, Buffer.alloc(3_000_000, 'some bytes '))
    const container = await Container.create(stack, lane)
    await container.start()
    const unpack = await container.addExec(['tar', '-xmf', '-', '-C', '/tmp'], { stdin: true })
    await unpack.start()
    unpack.io.write(execFileSync('tar', ['-C', directory, '-cf', '-', 'file'], { maxBuffer: 1 << 28 }))
    await unpack.closeInput()
    expect(await unpack.finish()).toEqual({ status: 0, stdout: '', stderr: '' })
    const pack = await container.addExec(['tar', '-cf', '-', '-C', '/tmp', 'file'])
    await pack.start()
    expect((await pack.finish()).status).toBe(0)
    execFileSync('tar', ['-xf', '-', '-O', 'file'], { input: pack.output.bytes, maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'inherit'] })
      .equals(readFileSync(`${directory}/file`)) || expect.fail('the file came back changed')
  })

  it('writes to a reader that comes back after it was gone', async () => {
    const container = await Container.create(stack, lane, { args: ['sh', '-c', 'echo first; read go; echo second'], stdin: true })
    await container.start()
    await container.output.until(/first/)
    container.output.close()
    await container.output.complete
    container.io.read()
    container.io.write('go\n')
    expect((await container.finish()).stdout).toBe('second\n')
  })
})

forEachLane('execs', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  /** The newer containerd runs ours five hundred times; the others are for comparison. */
  const count = lane.runtime === 'kata-ts' && lane.containerd === '2.1' ? 500 : 50

  it(`tells the exit status and all output of ${count} short execs in a row`, async () => {
    const container = await Container.create(stack, lane)
    await container.start()
    for (let run = 0; run < count; run++) {
      expect(await container.exec(['sh', '-c', `echo ${run}; echo ${run} >&2; exit ${run % 200}`])).toEqual({ status: run % 200, stdout: `${run}\n`, stderr: `${run}\n` })
    }
  }, 600_000)

  it('runs 20 at once, each with its own streams and status', async () => {
    const container = await Container.create(stack, lane)
    await container.start()
    const one = async (index: number): Promise<unknown> => {
      const exec = await container.addExec(['sh', '-c', `read line; echo "$line"; exit ${index}`], { stdin: true })
      await exec.start()
      exec.io.write(`to ${index}\n`)
      return exec.finish()
    }
    const results = await Promise.all(Array.from({ length: 20 }, (_, index) => one(index)))
    expect(results).toEqual(Array.from({ length: 20 }, (_, index) => ({ status: index, stdout: `to ${index}\n`, stderr: '' })))
  }, 120_000)

  it('tells of a killed exec at once, though a child of it keeps the output open', async () => {
    const container = await Container.create(stack, lane)
    await container.start()
    const exec = await container.addExec(['sh', '-c', 'sleep 1000 & echo "child $!"; wait'])
    await exec.start()
    const [line, child = ''] = await exec.output.until(/child (\d+)\n/)
    const exited = exec.wait()
    await exec.kill(9)
    expect(await exited).toBe(137)
    // As with runc, the child is the container's now: it ends with it, or by a signal of its own.
    expect(await container.shell('pidof sleep | wc -w')).toBe('2\n')
    await container.shell(`kill -9 ${child}`)
    expect((await exec.output.complete).toString()).toBe(line)
  })

  it('has its own user, directory and environment, also on a root that is read-only', async () => {
    const container = await Container.create(stack, lane, { spec: (spec) => { spec.root.readonly = true } })
    await container.start()
    const { stdout, stderr } = await container.exec(['sh', '-c', 'echo "$KEY $(pwd) $(id -u):$(id -g) $(id -G)"; echo x >/var/www/file'], {
      process: (process) => {
        process.user = { uid: 33, gid: 33, additionalGids: [29] }
        process.cwd = '/var/www'
        process.env.push('KEY=value')
      },
    })
    expect(stdout).toBe('value /var/www 33:33 33 29\n')
    expect(stderr).toMatch(/Read-only file system/)
  })

  it('tells a terminal of each new size by SIGWINCH', async () => {
    const container = await Container.create(stack, lane)
    await container.start()
    const exec = await container.addExec(['sh', '-c', 'trap "stty size" WINCH; echo ready; while :; do sleep 0.05; done'], { terminal: true, stdin: true })
    await exec.start()
    await exec.output.until(/ready/)
    await exec.resize(101, 37)
    await exec.output.until(/37 101/)
    await exec.resize(80, 25)
    await exec.output.until(/25 80/)
    await exec.kill(9)
    await exec.wait()
  })

  it('starts a terminal with the size that the spec gives', async () => {
    const size = (process: object): void => { Object.assign(process, { consoleSize: { width: 133, height: 44 } }) }
    const container = await Container.create(stack, lane, { args: ['sh', '-c', 'stty size; sleep 1000'], terminal: true, stdin: true, spec: (spec) => size(spec.process) })
    await container.start()
    await container.output.until(/44 133/)
    const exec = await container.addExec(['stty', 'size'], { terminal: true, stdin: true, process: size })
    await exec.start()
    expect((await exec.finish()).stdout).toBe('44 133\r\n')
  })

  // runc has no terminal to size before the start, and its clients resize again after it.
  it.skipIf(lane.runtime === 'runc')('starts a terminal with the size that it was given before', async () => {
    const container = await Container.create(stack, lane)
    await container.start()
    const exec = await container.addExec(['stty', 'size'], { terminal: true, stdin: true })
    await exec.resize(101, 37)
    await exec.start()
    expect((await exec.finish()).stdout).toBe('37 101\r\n')
  })
})
