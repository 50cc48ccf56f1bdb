/** exec, attach, logs, port-forward and cp: what people type at a cluster. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { randomBytes } from 'node:crypto'
import { expect, onTestFinished } from 'vitest'
import type { Cluster } from '../cluster.ts'
import { run } from '../cluster.ts'
import { forEachRuntime } from '../lanes.ts'
import { eventually, idle, Pod, script } from '../pod.ts'

/** A kubectl that lasts until the test ends, and what it has printed so far. */
function lasting(cluster: Cluster, ...args: readonly string[]): { output: () => string; write: (text: string) => void; exit: Promise<unknown> } {
  const child = cluster.start(args)
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => { text += chunk.toString() })
  child.stderr?.on('data', (chunk: Buffer) => { text += chunk.toString() })
  onTestFinished(() => { child.kill('SIGKILL') })
  return { output: () => text, write: (input) => { child.stdin?.write(input) }, exit: once(child, 'exit') }
}

/** kubectl gives a remote command a terminal only if it has one: script(1) makes it. */
const withTerminal = (cluster: Cluster, command: string, stdin = '') =>
  run('script', ['-qec', `${cluster.directory}/bin/kubectl ${command}`, '/dev/null'], { stdin })

forEachRuntime('streams', [
  {
    name: 'exec: exit codes, stdout and stderr apart, stdin to its end',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'exec', { spec: { containers: [idle()] } })
      const { code, stdout, stderr } = await pod.try(['sh', '-c', 'echo out; echo err >&2; exit 42'])
      expect({ code, stdout, stderr: stderr.split('\n')[0] }).toEqual({ code: 42, stdout: 'out\n', stderr: 'err' })
      expect((await pod.try(['/no/such/program'])).stderr).toMatch(/no such file or directory/)
      const bytes = randomBytes(3_000_000)
      expect((await pod.try(['md5sum'], undefined, bytes)).stdout).toBe((await run('md5sum', [], { stdin: bytes })).stdout)
    },
  },
  {
    name: 'exec with a terminal has its size and its signals',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'terminal', { spec: { containers: [idle()] } })
      const { stdout } = await withTerminal(cluster, `exec -it ${pod.name} -- sh -c 'test -t 0 && test -t 1 && echo is-a-terminal; stty size; tty'`)
      expect(stdout).toContain('is-a-terminal')
      expect(stdout).toMatch(/\/dev\/pts\/\d/)
    },
  },
  {
    name: 'attach: input and output of the first process',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'attach', { spec: { containers: [idle('main', { stdin: true, command: ['sh', '-c', 'while read -r line; do echo "got $line"; done; sleep 1000'] })] } })
      const attached = lasting(cluster, 'attach', '-i', pod.name)
      await eventually('the answer', async () => { attached.write('hello\n'); return attached.output().includes('got hello') || undefined })
    },
  },
  {
    name: 'logs: complete, followed, since a restart, of each container; none is lost at a fast end',
    run: async (cluster, runtime) => {
      const pod = await Pod.apply(cluster, runtime, 'logs', { spec: { restartPolicy: 'Never', containers: [
        script('seq 1 20000', 'fast'), script('echo a; echo b >&2; while [ ! -e /stop ]; do sleep 0.2; done; echo end', 'slow')] } })
      await pod.until('condition=ContainersReady=False')
      await eventually('the fast one to end', async () => (await pod.field('.status.containerStatuses[?(@.name=="fast")].state.terminated.exitCode')) === '0' || undefined)
      expect((await pod.logs('fast')).split('\n')).toHaveLength(20001)
      const followed = lasting(cluster, 'logs', '-f', pod.name, '-c', 'slow')
      await eventually('the first lines', async () => /a\n/.test(followed.output()) && /b\n/.test(followed.output()) || undefined)
      await pod.shell('touch /stop', 'slow')
      await followed.exit
      expect(followed.output()).toMatch(/end\n$/)
    },
  },
  {
    name: 'port-forward carries requests both ways',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'forward', { spec: { containers: [script('mkdir /www; head -c 1000000 /dev/zero >/www/big; echo hello >/www/index.html; exec httpd -f -p 127.0.0.1:8080 -h /www', 'web', { readinessProbe: { exec: { command: ['wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:8080/'] }, periodSeconds: 1, timeoutSeconds: 10 } })] } })
      const forward = lasting(cluster, 'port-forward', pod.name, '18080:8080')
      await eventually('the forward to listen', async () => forward.output().includes('Forwarding from 127.0.0.1') || undefined)
      const fetch = (path: string) => cluster.node('curl', '-sS', '--max-time', '60', `http://127.0.0.1:18080/${path}`)
      await eventually('the server', async () => (await fetch('')).stdout === 'hello\n' || undefined, 30)
      expect((await fetch('big')).stdout).toHaveLength(1_000_000)
      const many = await Promise.all(Array.from({ length: 8 }, () => fetch('')))
      expect(many.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 8 }, () => 'hello\n'))
    },
  },
  {
    name: 'cp both ways',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'copy', { spec: { containers: [idle()] } })
      const directory = mkdtempSync(`${tmpdir()}/kata-ts-cp-`)
      onTestFinished(() => rmSync(directory, { recursive: true }))
      const bytes = randomBytes(2_000_000)
      writeFileSync(`${directory}/out`, bytes)
      await cluster.kubectl('cp', `${directory}/out`, `${pod.name}:/tmp/in`)
      await cluster.kubectl('cp', `${pod.name}:/tmp/in`, `${directory}/back`)
      expect(readFileSync(`${directory}/back`).equals(bytes)).toBe(true)
    },
  },
])
