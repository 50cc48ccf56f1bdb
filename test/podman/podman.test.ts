/** What people do with podman every day, with `--runtime PATH`; runc is the control. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, it, onTestFinished } from 'vitest'
import { call, eventually, onTerminal, run, runtimes } from './podman.ts'

const untilTold = ['sh', '-c', 'trap "echo told; exit 9" TERM; echo up; while :; do sleep 1000 & wait; done']
let count = 0

for (const [name, path] of runtimes) describe(`podman with ${name}`, () => {
  const once = (flags: readonly string[], ...command: readonly string[]) => run(['--runtime', path, 'run', '--rm', ...flags, 'busybox', ...command])

  /** A detached container that is removed when the test ends. */
  function detached(flags: readonly string[], ...command: readonly string[]): string {
    const id = `case-${name}-${++count}`
    onTestFinished(() => { run(['rm', '-f', '-t', '0', id]) })
    call('--runtime', path, 'run', '-d', '--name', id, ...flags, 'busybox', ...command)
    return id
  }

  it('run: stdin, stdout, stderr and the exit code', () => {
    expect(run(['--runtime', path, 'run', '--rm', '-i', 'busybox', 'sh', '-c', 'cat; echo err >&2; exit 42'], 'through\n')).toMatchObject({ status: 42, stdout: 'through\n', stderr: 'err\n' })
  })

  it('run and exec of what does not exist: 127; of what is no program: 126', () => {
    expect(once([], 'no-such').status).toBe(127)
    expect(once([], '/etc').status).toBe(126)
    const id = detached([], ...untilTold)
    expect(run(['exec', id, 'no-such']).status).toBe(127)
  })

  it('run -d, exec, logs, stop, start, kill, wait, rm', async () => {
    const id = detached(['--hostname', 'chosen', '-e', 'WORD=swordfish'], ...untilTold)
    expect(call('exec', id, 'sh', '-c', 'hostname; echo $WORD')).toBe('chosen\nswordfish')
    expect(run(['exec', id, 'sh', '-c', 'exit 5']).status).toBe(5)
    expect(run(['exec', '-i', id, 'wc', '-c'], 'twelve bytes').stdout.trim()).toBe('12')
    await eventually('up', () => call('logs', id) === 'up')
    call('stop', '-t', '30', id)
    expect(call('inspect', '-f', '{{.State.ExitCode}} {{.State.Status}}', id)).toBe('9 exited')
    expect(call('logs', id)).toBe('up\ntold')
    call('start', id)
    expect(call('exec', id, 'echo', 'again')).toBe('again')
    call('kill', id)
    expect(call('wait', id)).toBe('137')
    call('rm', id)
    expect(run(['inspect', id]).status).not.toBe(0)
  })

  it('run -it, exec -it and attach have terminals', async () => {
    expect((await onTerminal(['--runtime', path, 'run', '--rm', '-it', 'busybox', 'sh', '-c', 'tty; echo ready; read line; echo "got $line"; exit 6'], 'ready', 'typed\n'))).toMatchObject({ status: 6, shown: expect.stringMatching(/\/dev\/pts\/0\n[^]*got typed\n/) as string })
    const id = detached(['-it'], 'sh', '-c', 'read line; echo "attached: $line"; exit 7')
    expect(await onTerminal(['exec', '-it', id, 'sh', '-c', 'tty; exit 3'])).toMatchObject({ status: 3, shown: expect.stringContaining('/dev/pts/1') as string })
    run(['attach', '--sig-proxy=false', id], 'hello\n')
    expect(call('wait', id)).toBe('7')
    expect(call('logs', id)).toContain('attached: hello')
  })

  it('pause, unpause, stats, top', () => {
    const id = detached([], ...untilTold)
    call('pause', id)
    expect(call('ps', '-a', '--filter', `name=${id}`, '--format', '{{.Status}}')).toMatch(/aused/)
    expect(run(['exec', id, 'true']).status).not.toBe(0)
    call('unpause', id)
    expect(run(['exec', id, 'true']).status).toBe(0)
    expect(call('stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}}', id)).toBe(`${id} 2`)
    expect(call('top', id)).toContain('sleep 1000')
  })

  it('a health check', () => {
    const id = detached(['--health-cmd', 'test -e /tmp/ok', '--health-interval', 'disable', '--health-retries', '1'], ...untilTold)
    expect(run(['healthcheck', 'run', id]).status).toBe(1)
    call('exec', id, 'touch', '/tmp/ok')
    expect(run(['healthcheck', 'run', id]).status).toBe(0)
  })

  it('-v: directories, read-only ones, and named volumes; --read-only, --tmpfs', () => {
    const directory = mkdtempSync(`${tmpdir()}/kata-ts-podman-`)
    const volume = `volume-${name}`
    onTestFinished(() => { run(['volume', 'rm', volume]); rmSync(directory, { recursive: true }) })
    writeFileSync(`${directory}/from-host`, 'host')
    expect(once(['-v', `${directory}:/d`, '-v', `${directory}:/ro:ro`, '-v', `${volume}:/named`], 'sh', '-c',
      'cat /d/from-host; echo by-container >/d/made; echo kept >/named/f; ! touch /ro/x 2>/dev/null')).toMatchObject({ status: 0, stdout: 'host' })
    expect(readFileSync(`${directory}/made`, 'utf8')).toBe('by-container\n')
    expect(once(['-v', `${volume}:/named`], 'cat', '/named/f').stdout).toBe('kept\n')
    expect(once(['--read-only', '--tmpfs', '/t:size=1m'], 'sh', '-c', '! touch /x 2>/dev/null && touch /t/x && echo held').stdout).toBe('held\n')
  })

  it('--memory, --pids-limit, --cpus; who exceeds the memory ends with 137', () => {
    const look = 'for f in memory/memory.limit_in_bytes pids/pids.max cpu/cpu.cfs_quota_us memory.max pids.max cpu.max; do cat /sys/fs/cgroup/$f 2>/dev/null; done'
    expect(once(['--memory', '64m', '--pids-limit', '20', '--cpus', '0.5'], 'sh', '-c', look).stdout.trim().split(/\s+/).slice(0, 3)).toEqual([String(64 * 2 ** 20), '20', '50000'])
    expect(once(['--memory', '32m'], 'tail', '-c', '200m', '/dev/zero').status).toBe(137)
  })

  it('a user namespace, users, capabilities, privileged', () => {
    expect(once(['--uidmap', '0:100000:65536', '--gidmap', '0:100000:65536'], 'sh', '-c', 'id -u; cat /proc/self/uid_map; touch /made').stdout.replace(/ +/g, ' ')).toBe('0\n 0 100000 65536\n')
    const caps = once(['--user', '1000:1000', '--cap-add', 'SYS_ADMIN', '--cap-drop', 'CHOWN', '--security-opt', 'no-new-privileges'], 'sh', '-c', 'id -u; grep -E "CapBnd|NoNew" /proc/self/status').stdout
    expect(caps).toMatch(/^1000\nCapBnd:\t00000000a82425fa\nNoNewPrivs:\t1\n$/)
    expect(once(['--privileged'], 'sh', '-c', 'mount -t tmpfs x /mnt 2>/dev/null || mount -t tmpfs x /tmp; echo $?').stdout).toBe('0\n')
  })

  it('the host\'s namespaces, an init, a device, a sysctl', () => {
    expect(once(['--network', 'host', '--pid', 'host', '--ipc', 'host', '--uts', 'host'], 'hostname').status).toBe(0)
    expect(once(['--init'], 'ps', '-o', 'pid,args').stdout).toMatch(/1 \/run\/podman-init -- ps/)
    expect(once(['--device', '/dev/fuse', '--sysctl', 'net.ipv4.ip_forward=1', '--dns', '192.0.2.1'], 'sh', '-c', 'test -c /dev/fuse && cat /proc/sys/net/ipv4/ip_forward /etc/resolv.conf').stdout).toBe('1\nnameserver 192.0.2.1\n')
  })

  it('build: RUN steps with the runtime', () => {
    const directory = mkdtempSync(`${tmpdir()}/kata-ts-podman-`)
    const image = `built-${name}`
    onTestFinished(() => { run(['rmi', '-f', image]); rmSync(directory, { recursive: true }) })
    writeFileSync(`${directory}/Containerfile`, 'FROM busybox\nRUN echo built >/made && test "$(id -u)" = 0\nRUN cat /made\n')
    call('--runtime', path, 'build', '--runtime', path, '--no-cache', '-t', image, directory)
    expect(call('--runtime', path, 'run', '--rm', image, 'cat', '/made')).toBe('built')
  })

  it('a pod: its containers share the network', async () => {
    const pod = `pod-${name}`
    onTestFinished(() => { run(['pod', 'rm', '-f', '-t', '0', pod]) })
    call('--runtime', path, 'pod', 'create', '--name', pod)
    call('--runtime', path, 'run', '-d', '--pod', pod, 'busybox', 'httpd', '-f', '-p', '80', '-h', '/etc')
    await eventually('the server answers', () => run(['--runtime', path, 'run', '--rm', '--pod', pod, 'busybox', 'wget', '-q', '-O', '-', 'http://127.0.0.1/hostname']).stdout.trim() === pod)
    call('pod', 'stop', '-t', '0', pod)
  })

  it.skipIf(existsSync('/run/systemd/private'))('the systemd cgroup driver is refused where there is no systemd (and only there)', () => {
    const { status, stderr } = run(['--runtime', path, '--cgroup-manager', 'systemd', 'run', '--rm', 'busybox', 'true'])
    expect(status).toBe(126)
    expect(stderr).toMatch(/systemd/)
  })
})
