import { execFileSync, spawn } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { Bundle, until } from './bundle.ts'
import { conformance } from './runtimes.ts'

const top = new URL('../..', import.meta.url).pathname
const receiver = join(tmpdir(), `kata-ts-oci-receiver-${process.pid}`)

/** Listens for a terminal; `said` grows with its output, and `input` is typed into it. */
async function listen(socket: string, input = ''): Promise<{ said: () => string; end: () => void }> {
  const child = spawn(receiver, [socket], { stdio: ['pipe', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => { text += chunk.toString() })
  child.stdin.end(input)
  await until('receiver listens', () => existsSync(socket))
  return { said: () => text.replaceAll('\r', ''), end: () => void child.kill('SIGKILL') }
}

conformance('terminal', test => {
  beforeAll(() => {
    execFileSync(join(top, 'hack/build-bin'), ['--bundle', join(top, 'test/oci/receive-terminal.ts'), '-o', receiver], { stdio: 'ignore' })
  })

  afterAll(() => {
    for (const path of [receiver, `${receiver}.maps`, `${receiver}.map`]) rmSync(path, { recursive: true, force: true })
  })

  test('is on all three descriptors, controls the session, and has a name inside', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'tty; for fd in 0 1 2; do readlink /proc/self/fd/$fd; done; echo hi > /dev/tty; test -c /dev/console && echo console; sleep 100'], spec => { spec.process.terminal = true })
    const socket = join(bundle.directory, 'console.sock')
    const { said, end } = await listen(socket)
    bundle.up(['--console-socket', socket])
    await until('output', () => said().includes('console'))
    expect(said()).toBe('/dev/pts/0\n/dev/pts/0\n/dev/pts/0\n/dev/pts/0\nhi\nconsole\n')
    end()
  })

  test('carries what is typed, and its size', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'read line; echo "got $line"; stty size; sleep 100'], spec => { spec.process.terminal = true })
    const socket = join(bundle.directory, 'console.sock')
    const { said, end } = await listen(socket, 'typed\n')
    bundle.up(['--console-socket', socket])
    await until('size', () => /^\d+ \d+$/m.test(said()))
    expect(said()).toContain('got typed\n')
    expect(said()).toContain('22 111\n')
    end()
  })

  test('belongs to the user of the process', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'stat -c %u /dev/pts/0; echo own > /dev/pts/0; sleep 100'], spec => {
      spec.process.terminal = true
      spec.process.user = { uid: 1000, gid: 1000 }
    })
    const socket = join(bundle.directory, 'console.sock')
    const { said, end } = await listen(socket)
    bundle.up(['--console-socket', socket])
    await until('output', () => said().includes('own'))
    expect(said()).toBe('1000\nown\n')
    end()
  })

  test('is refused without a place to send it', async runtime => {
    await using bundle = new Bundle(runtime, ['true'], spec => { spec.process.terminal = true })
    expect(bundle.create().status).not.toBe(0)
    expect(bundle.leftovers()).toEqual([])
  })
})
