/** What people do with Docker and nerdctl every day; runc is the control. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { release, tmpdir } from 'node:os'
import { lanes } from './client.ts'

const untilTold = ['sh', '-c', 'trap "echo told; exit 9" TERM; echo up; while :; do sleep 1000 & wait; done']

async function eventually(look: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000
  while (!(await look())) {
    if (Date.now() > end) throw new Error('waited 60 s in vain')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

for (const [index, { client, title, runtime, inGuest }] of lanes.entries()) describe(title, () => {
  const once = (flags: readonly string[], ...command: readonly string[]) => client.try(['run', '--rm', '--runtime', runtime, ...flags, 'busybox', ...command])

  it('run: stdout, stderr and the exit code', async () => {
    const { code, text, stderr } = await once([], 'sh', '-c', 'echo out; echo err >&2; exit 42')
    expect({ code, text, err: stderr.includes('err\n') }).toEqual({ code: 42, text: 'out\n', err: true })
  })

  it.skipIf(!inGuest)('runs on a kernel of its own', async () => {
    expect((await once([], 'uname', '-r')).text.trim()).not.toBe(release())
  })

  it('run -i: stdin to its end', async () => {
    const stdin = Buffer.alloc(300_000, 'client ')
    const { text } = await client.try(['run', '--rm', '-i', '--runtime', runtime, 'busybox', 'wc', '-c'], { stdin })
    expect(text.trim()).toBe('300000')
  })

  it('run -d, exec, logs, stop, start, rm', async () => {
    const id = await client.detached(runtime, ['--hostname', 'chosen', '-e', 'WORD=swordfish'], ...untilTold)
    expect(await client.call('exec', id, 'sh', '-c', 'hostname; echo $WORD')).toBe('chosen\nswordfish')
    // nerdctl 1.7 ends with 1 and tells the command's code.
    const { code, stderr } = await client.try(['exec', id, 'sh', '-c', 'exit 5'])
    expect(`${code} ${stderr}`).toMatch(/^5 |^1 .*exit code 5/)
    await eventually(async () => (await client.call('logs', id)) === 'up')
    await client.call('stop', id)
    await eventually(async () => (await client.call('logs', id)) === 'up\ntold')
    expect(await client.call('inspect', '-f', '{{.State.ExitCode}}', id)).toBe('9')
    await client.call('start', id)
    expect(await client.call('exec', id, 'echo', 'again')).toBe('again')
    await client.call('rm', '-f', id)
    expect((await client.try(['inspect', id])).code).not.toBe(0)
  })

  it('-p: a port of the host leads to the container', async () => {
    const port = 18090 + index
    const id = await client.detached(runtime, ['-p', `${port}:80`], 'sh', '-c', 'mkdir /www; hostname >/www/name; exec httpd -f -p 80 -h /www')
    const hostname = await client.call('exec', id, 'hostname')
    await eventually(async () => (await client.host('curl', '-s', '--max-time', '5', `http://127.0.0.1:${port}/name`)).trim() === hostname)
  })

  it('-v: directories, read-only ones, and named volumes that outlive a container', async () => {
    const directory = mkdtempSync(`${tmpdir()}/kata-ts-client-`)
    const volume = `client-${index}-${process.pid}`
    onTestFinished(async () => { await client.try(['volume', 'rm', volume]); rmSync(directory, { recursive: true }) })
    writeFileSync(`${directory}/from-host`, 'host')
    const { code, text } = await once(['-v', `${directory}:/d`, '-v', `${directory}:/ro:ro`, '-v', `${volume}:/named`], 'sh', '-c',
      'cat /d/from-host; echo by-container >/d/made; chown 12:34 /d/made; echo kept >/named/f; ! touch /ro/x 2>/dev/null')
    expect({ code, text }).toEqual({ code: 0, text: 'host' })
    expect(readFileSync(`${directory}/made`, 'utf8')).toBe('by-container\n')
    expect(statSync(`${directory}/made`).gid).toBe(34)
    expect((await once(['-v', `${volume}:/named`], 'cat', '/named/f')).text).toBe('kept\n')
  })

  it('-m: the limit is the container\'s, and who exceeds it ends with 137', async () => {
    const limit = await once(['-m', '64m'], 'sh', '-c', 'cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes')
    expect(limit.text.trim()).toBe(String(64 * 1024 * 1024))
    expect((await once(['-m', '32m'], 'sh', '-c', 'exec tail -c 200m /dev/zero')).code).toBe(137)
  })

  it('--network none: loopback only', async () => {
    expect((await once(['--network', 'none'], 'sh', '-c', 'ls /sys/class/net | grep -vE "^(tunl|sit|ip6tnl|gre|erspan|ip_vti|ip6_vti|ip6gre)"')).text.trim()).toBe('lo')
  })

  it('a network by default: the container reaches its gateway', async () => {
    expect((await once([], 'sh', '-c', 'ping -c 1 -W 10 $(ip route | sed -n "s/^default via \\([^ ]*\\).*/\\1/p") >/dev/null && echo reached')).text).toBe('reached\n')
  })
})
