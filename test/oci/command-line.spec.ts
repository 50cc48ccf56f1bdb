/** The command line as runc's: every verb's flags, what they print, and the exit statuses that clients know errors by. */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Spec } from '../../protocol/oci/spec.ts'
import { Bundle, until } from './bundle.ts'
import { conformance, invoke, runtimes, type Runtime } from './runtimes.ts'

const top = new URL('../..', import.meta.url).pathname
const isV1 = existsSync('/sys/fs/cgroup/memory/tasks')
const other = { crun: 'has a command line of its own' }

/** The program and arguments of a runtime's call, for a process that the case speaks to. */
function commandOf(runtime: Runtime, stateRoot: string, ...args: string[]): [string, string[]] {
  const [program = '', ...first] = runtime.command
  return [program, [...first, '--root', stateRoot, ...args]]
}

/** Runs a runtime on a terminal of its own (script(1)), types into it, and gives what it showed. */
async function onTerminal(runtime: Runtime, stateRoot: string, args: string[], typed: string): Promise<{ status: number; shown: string }> {
  const [program, all] = commandOf(runtime, stateRoot, ...args)
  const line = [program, ...all].map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  const child = spawn('script', ['-qec', `stty rows 33 cols 77; ${line}`, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
  let shown = ''
  child.stdout.on('data', (chunk: Buffer) => { shown += chunk.toString() })
  // When the program listens: what comes before is the runtime's to keep, and runc throws it away.
  await until('prompt', () => shown.includes('ready'))
  child.stdin.write(typed)
  const status = await new Promise<number>(resolve => child.on('exit', code => resolve(code ?? 128)))
  return { status, shown: shown.replaceAll('\r', '') }
}

describe.skipIf(runtimes.length < 3)('spec', () => {
  for (const flags of [[], ['--rootless']]) {
    it(`${flags.join(' ')} writes what runc's does, but for the name and the version`, () => {
      const written = (name: string): Partial<Spec> => {
        const directory = mkdtempSync(join(tmpdir(), 'kata-ts-oci-spec-'))
        onTestFinished(() => rmSync(directory, { recursive: true }))
        const runtime = runtimes.find(each => each.name === name)
        if (!runtime) throw new Error(`${name} is not among $OCI_RUNTIMES`)
        expect(invoke(runtime, directory, ['spec', ...flags, '--bundle', directory]).status).toBe(0)
        // A second time it does not replace what the user may have changed.
        expect(invoke(runtime, directory, ['spec', ...flags, '-b', directory]).status).toBe(1)
        const { hostname: _name, ociVersion: _version, ...spec } = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8')) as Spec
        return spec
      }
      expect(written('kata-ts')).toEqual(written('runc'))
    })
  }
})

conformance('command line', test => {
  const statuses: [string, string[], number, RegExp][] = [
    ['an unknown command', ['no-such-command'], 3, /No help topic for 'no-such-command'/],
    ['an unknown flag', ['state', '--no-such-flag', 'x'], 1, /flag provided but not defined: -no-such-flag/],
    ['a missing argument', ['create'], 1, /\\"create\\" requires exactly 1 argument/],
    ['a flag without its value', ['create', '--bundle'], 1, /flag needs an argument/],
    ['an unknown container', ['state', 'no-such'], 1, /container does not exist/],
    ['deleting an unknown container', ['delete', 'no-such'], 1, /container does not exist/],
    ['deleting an unknown container by force', ['delete', '--force', 'no-such'], 0, /^$/],
    ['an exec in an unknown container', ['exec', 'no-such', 'true'], 255, /exec failed: container does not exist/],
  ]
  for (const [what, args, status, says] of statuses) {
    test(`${what} has exit status ${status}`, async runtime => {
      await using bundle = new Bundle(runtime, ['true'])
      const ran = invoke(runtime, bundle.stateRoot, args)
      expect(ran.stderr).toMatch(says)
      expect(ran.status).toBe(status)
    }, { except: other })
  }

  test('an id that is no name is refused', async runtime => {
    await using bundle = new Bundle(runtime, ['true'])
    const { status, stderr } = bundle.invoke(['create', '--bundle', bundle.directory, 'a/b'])
    expect(status).toBe(1)
    expect(stderr).toContain('invalid container ID format')
  }, { except: other })

  for (const [format, line] of [['text', /^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=error msg="container does not exist(: no-such)?"$/m], ['json', /^\{"level":"error","msg":"container does not exist(: no-such)?","time":"\d{4}-[^"]+Z"\}$/m]] as const) {
    test(`writes ${format} to the log, and the bare message to stderr`, async runtime => {
      await using bundle = new Bundle(runtime, ['true'])
      const path = join(bundle.directory, 'log')
      const { stderr } = invoke(runtime, bundle.stateRoot, ['--log', path, '--log-format', format, 'state', 'no-such'])
      expect(readFileSync(path, 'utf8')).toMatch(line)
      expect(stderr).toMatch(/^container does not exist(: no-such)?\n$/)
    }, { except: other })
  }

  test('state and list have the same keys and columns', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    const state = JSON.parse(bundle.invoke(['state', bundle.id]).stdout) as Record<string, unknown>
    expect(Object.keys(state)).toEqual(['ociVersion', 'id', 'pid', 'status', 'bundle', 'rootfs', 'created', 'owner'])
    expect(state).toMatchObject({ rootfs: bundle.rootfs, owner: '' })
    const listed = JSON.parse(bundle.invoke(['list', '-f', 'json']).stdout) as Record<string, unknown>[]
    expect(Object.keys(listed[0] ?? {})).toEqual(['ociVersion', 'id', 'pid', 'status', 'bundle', 'rootfs', 'created', 'owner'])
    const [head = '', row = ''] = bundle.invoke(['list']).stdout.split('\n')
    expect(head).toMatch(/^ID {3,}PID {3,}STATUS {3,}BUNDLE {3,}CREATED {3,}OWNER$/)
    expect(row.split(/ {2,}/)).toEqual([bundle.id, `${bundle.pid}`, 'running', bundle.directory, state['created'], 'root'])
    expect(row.indexOf(`${bundle.pid}`)).toBe(head.indexOf('PID'))
    expect(bundle.invoke(['list', '-q']).stdout).toBe(`${bundle.id}\n`)
    bundle.invoke(['delete', '--force', bundle.id])
    expect(bundle.invoke(['list', '--format', 'json']).stdout.trim()).toBe('null')
  }, { except: other })

  test('a stopped container has pid 0', async runtime => {
    await using bundle = new Bundle(runtime, ['true'])
    bundle.up()
    await until('stopped', () => bundle.status === 'stopped')
    expect((JSON.parse(bundle.invoke(['state', bundle.id]).stdout) as { pid: number }).pid).toBe(0)
  })

  test('ps is the host\'s, of the container\'s processes', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    expect(JSON.parse(bundle.invoke(['ps', '--format', 'json', bundle.id]).stdout)).toEqual([bundle.pid])
    const [head, row = '', ...more] = bundle.invoke(['ps', bundle.id]).stdout.trim().split('\n')
    expect(head).toMatch(/^UID +PID +PPID/)
    expect(row).toContain('sleep 100')
    expect(more).toEqual([])
    expect(bundle.invoke(['ps', bundle.id, '-o', 'pid,args']).stdout).toMatch(new RegExp(`^ *PID COMMAND\\n *${bundle.pid} sleep 100\\n$`))
  }, { except: other })

  test('events has the figures once, or until the container ends', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'], spec => { spec.linux.resources = { ...spec.linux.resources, memory: { limit: 64 * 2 ** 20 }, pids: { limit: 10 } } })
    bundle.up()
    const figures = () => JSON.parse(bundle.invoke(['events', '--stats', bundle.id]).stdout) as { type: string; id: string; data: Record<string, Record<string, Record<string, number>>> }
    // The threads of runc's own program are counted until the kernel has buried them.
    await until('one thread', () => Number(figures().data['pids']?.['current']) === 1)
    const { type, id, data } = figures()
    expect({ type, id }).toEqual({ type: 'stats', id: bundle.id })
    expect(Object.keys(data)).toEqual(['cpu', 'cpuset', 'memory', 'pids', 'blkio', 'hugetlb', 'intel_rdt', 'network_interfaces'])
    expect(data['cpu']?.['usage']).toMatchObject({ total: expect.any(Number) as number, kernel: expect.any(Number) as number, user: expect.any(Number) as number })
    expect(data['cpu']?.['usage']?.['total']).toBeGreaterThan(0)
    expect(data['memory']?.['usage']?.['limit']).toBe(64 * 2 ** 20)
    expect(data['memory']?.['usage']?.['usage']).toBeGreaterThan(0)
    expect(data['pids']).toMatchObject({ current: 1, limit: 10 })
    const child = spawn(...commandOf(runtime, bundle.stateRoot, 'events', '--interval', '50ms', bundle.id), { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => { text += chunk.toString() })
    const ended = new Promise(resolve => child.on('exit', resolve))
    await until('three rounds', () => text.split('\n').length > 3)
    bundle.invoke(['kill', bundle.id, 'KILL'])
    await until('stopped', () => bundle.status === 'stopped')
    // runc ends with the cgroup.
    bundle.invoke(['delete', bundle.id])
    expect(await ended).toBe(0)
    for (const line of text.trim().split('\n')) expect(JSON.parse(line)).toMatchObject({ type: 'stats', id: bundle.id })
  }, { except: other })

  test('run --keep leaves the container, stopped', async runtime => {
    await using bundle = new Bundle(runtime, ['true'])
    expect(bundle.invoke(['run', '--keep', '-b', bundle.directory, bundle.id]).status).toBe(0)
    expect(bundle.status).toBe('stopped')
    expect(bundle.invoke(['delete', bundle.id]).status).toBe(0)
  }, { except: { crun: '1.8 knows --keep, but not with a status of stopped at once' } })

  test('run --detach --pid-file, and a keyring and a pivot that it is told to leave', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    const [program, args] = commandOf(runtime, bundle.stateRoot, 'run', '--detach', '--no-pivot', '--no-new-keyring', '--pid-file', join(bundle.directory, 'pid'), '--bundle', bundle.directory, bundle.id)
    execFileSync(program, args, { stdio: 'ignore' })
    expect(bundle.status).toBe('running')
    await until('program', () => readFileSync(`/proc/${bundle.pid}/cmdline`, 'utf8').includes('sleep'))
    expect(bundle.exec(['ls', '/']).stdout).toContain('bin')
  })

  test('run passes signals on', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'trap "echo told; exit 9" TERM; echo up; while :; do usleep 10000; done'])
    const child = spawn(...commandOf(runtime, bundle.stateRoot, 'run', '--bundle', bundle.directory, bundle.id), { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => { text += chunk.toString() })
    await until('up', () => text.includes('up\n'))
    const ended = new Promise(resolve => child.on('exit', resolve))
    child.kill('SIGTERM')
    expect(await ended).toBe(9)
    expect(text).toBe('up\ntold\n')
  }, { except: { crun: 'its exec in a mount namespace of its own puts a shell between' } })

  test('run has our terminal: size, input, output and status', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'tty; until stty size 2>/dev/null | grep 77; do usleep 1000; done; echo ready; read line; echo "got $line"; exit 5'], spec => { spec.process.terminal = true })
    const { status, shown } = await onTerminal(runtime, bundle.stateRoot, ['run', '--bundle', bundle.directory, bundle.id], 'typed\n')
    expect(shown).toContain('/dev/pts/0\n')
    expect(shown).toContain('33 77\n')
    expect(shown).toContain('got typed\n')
    expect(status).toBe(5)
  }, { except: { crun: '1.8 does not pass the size on' } })

  test('exec --tty has our terminal', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    const { status, shown } = await onTerminal(runtime, bundle.stateRoot, ['exec', '-t', bundle.id, 'sh', '-c', 'until stty size 2>/dev/null | grep 77; do usleep 1000; done; echo ready; read line; echo "got $line"; exit 6'], 'typed\n')
    expect(shown).toContain('33 77\n')
    expect(shown).toContain('got typed\n')
    expect(status).toBe(6)
  })

  test('exec --detach, --pid-file, --process', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    const pidFile = join(bundle.directory, 'exec-pid')
    const processFile = join(bundle.directory, 'process.json')
    writeFileSync(processFile, JSON.stringify({ args: ['sleep', '50'], cwd: '/tmp', user: { uid: 7, gid: 8 }, env: ['PATH=/bin'] }))
    const [program, args] = commandOf(runtime, bundle.stateRoot, 'exec', '--detach', '--pid-file', pidFile, '--process', processFile, bundle.id)
    execFileSync(program, args, { stdio: 'ignore' })
    const status = readFileSync(`/proc/${readFileSync(pidFile, 'utf8')}/status`, 'utf8')
    expect(status).toMatch(/^Uid:\t7\t7\t7\t7$/m)
    expect(status).toMatch(/^Gid:\t8\t8\t8\t8$/m)
  })

  test('exec --cap, --no-new-privs, --additional-gids', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'], spec => { spec.process.noNewPrivileges = false })
    bundle.up()
    const look = ['grep', '-E', '^(CapEff|NoNewPrivs|Groups)', '/proc/self/status']
    const plain = bundle.exec(look).stdout
    const more = bundle.exec(look, ['--cap', 'CAP_SYS_ADMIN', '--no-new-privs', '--additional-gids', '77', '--additional-gids', '78']).stdout
    expect(plain).toMatch(/NoNewPrivs:\t0/)
    expect(more).toMatch(/NoNewPrivs:\t1/)
    expect(more).toMatch(/Groups:\t.*77 78/)
    const effective = (text: string) => BigInt(`0x${/CapEff:\t(\w+)/.exec(text)?.[1] ?? '0'}`)
    expect((effective(more) & ~effective(plain)).toString()).toBe((1n << 21n).toString()) // CAP_SYS_ADMIN
  }, { except: other })

  test('run and exec --preserve-fds', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'cat <&3; cat <&4'])
    for (const name of ['three', 'four']) writeFileSync(join(bundle.directory, name), `${name}\n`)
    const inherited = (...args: string[]) => execFileSync('sh', ['-c', 'exec 3<"$1/three" 4<"$1/four"; shift; exec "$@"', 'sh', bundle.directory, ...commandOf(runtime, bundle.stateRoot, ...args).flat()], { encoding: 'utf8' })
    expect(inherited('run', '--preserve-fds', '2', '--bundle', bundle.directory, bundle.id)).toBe('three\nfour\n')
    await using long = new Bundle(runtime, ['sleep', '100'])
    long.up()
    const passed = execFileSync('sh', ['-c', 'exec 3<"$1/three"; shift; exec "$@"', 'sh', bundle.directory, ...commandOf(runtime, long.stateRoot, 'exec', '--preserve-fds', '1', long.id, 'sh', '-c', 'cat <&3').flat()], { encoding: 'utf8' })
    expect(passed).toBe('three\n')
  }, { except: other })

  test('exec in a paused container is an error, but with --ignore-paused', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    bundle.invoke(['pause', bundle.id])
    const refused = bundle.exec(['true'])
    expect(refused.status).toBe(255)
    expect(refused.stderr).toContain('cannot exec in a paused container')
    bundle.invoke(['resume', bundle.id])
    expect(bundle.exec(['true'], ['--ignore-paused']).status).toBe(0)
  }, { except: other })

  test('exec of a missing program has status 255', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    const { status, stderr } = bundle.exec(['no-such'])
    expect(status).toBe(255)
    expect(stderr).toContain('exec: \\"no-such\\": executable file not found in $PATH')
  }, { except: other })

  if (isV1) test('exec --cgroup moves the process below the container\'s cgroup', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    mkdirSync(`/sys/fs/cgroup/pids${bundle.cgroupsPath}/below`)
    expect(bundle.exec(['cat', '/proc/self/cgroup'], ['--cgroup', 'pids:below']).stdout).toMatch(new RegExp(`pids:${bundle.cgroupsPath}/below$`, 'm'))
    expect(bundle.exec(['true'], ['--cgroup', 'pids:none']).status).not.toBe(0)
  }, { except: other })

  if (isV1) test('update has a flag for each limit', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'], spec => { spec.linux.resources = { ...spec.linux.resources, memory: { limit: 64 * 2 ** 20, swap: 64 * 2 ** 20 } } })
    bundle.up()
    const read = (controller: string, file: string) => readFileSync(`/sys/fs/cgroup/${controller}${bundle.cgroupsPath}/${file}`, 'utf8').trim()
    const flags = [
      '--cpu-period', '50000', '--cpu-quota', '25000', '--cpu-share', '333', '--cpuset-cpus', '0', '--cpuset-mems', '0', '--memory', `${128 * 2 ** 20}`, '--memory-swap', `${256 * 2 ** 20}`,
      '--memory-reservation', `${32 * 2 ** 20}`, '--pids-limit', '44',
    ]
    expect(bundle.invoke(['update', ...flags, bundle.id])).toMatchObject({ status: 0, stderr: '' })
    expect([
      read('cpu', 'cpu.cfs_period_us'), read('cpu', 'cpu.cfs_quota_us'), read('cpu', 'cpu.shares'), read('cpuset', 'cpuset.cpus'), read('memory', 'memory.limit_in_bytes'), read('memory', 'memory.memsw.limit_in_bytes'),
      read('memory', 'memory.soft_limit_in_bytes'), read('pids', 'pids.max'),
    ]).toEqual(['50000', '25000', '333', '0', `${128 * 2 ** 20}`, `${256 * 2 ** 20}`, `${32 * 2 ** 20}`, '44'])
    expect(bundle.invoke(['update', '--memory', '100M', '--memory-swap', '1g', '--memory-reservation', '65536k', bundle.id]).status).toBe(0)
    expect([read('memory', 'memory.limit_in_bytes'), read('memory', 'memory.memsw.limit_in_bytes'), read('memory', 'memory.soft_limit_in_bytes')]).toEqual([`${100 * 2 ** 20}`, `${2 ** 30}`, `${64 * 2 ** 20}`])
    expect(bundle.invoke(['update', '-r', '-', bundle.id], '{"pids":{"limit":45}}').status).toBe(0)
    expect(read('pids', 'pids.max')).toBe('45')
    expect(bundle.invoke(['update', '--memory', 'many', bundle.id]).status).toBe(1)
  }, { except: other })

  test('kill --all reaches every process', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'sleep 1000 & sleep 1000 & wait; echo all; exec sleep 1000'])
    bundle.up()
    await until('children', () => (JSON.parse(bundle.invoke(['ps', '-f', 'json', bundle.id]).stdout) as number[]).length === 3)
    expect(bundle.invoke(['kill', '--all', bundle.id, 'KILL']).status).toBe(0)
    await until('stopped', () => bundle.status === 'stopped')
  }, { except: other })

  test('--pidfd-socket is given a pidfd of the process', async runtime => {
    const receiver = join(tmpdir(), `kata-ts-oci-pidfd-${process.pid}`)
    execFileSync(join(top, 'hack/build-bin'), ['--bundle', join(top, 'test/oci/receive-pidfd.ts'), '-o', receiver], { stdio: 'ignore' })
    try {
      await using bundle = new Bundle(runtime, ['sleep', '100'])
      const given = async (pidOf: (socket: string) => number) => {
        const socket = join(bundle.directory, `pidfd-${Math.random()}`)
        const child = spawn(receiver, [socket], { stdio: ['ignore', 'pipe', 'inherit'] })
        let said = ''
        child.stdout.on('data', (chunk: Buffer) => { said += chunk.toString() })
        const ended = new Promise(resolve => child.on('close', resolve))
        await until('receiver listens', () => existsSync(socket))
        const pid = pidOf(socket)
        await ended
        expect(said).toBe(`pidfd ${pid}\n`)
      }
      await given(socket => {
        bundle.up(['--pidfd-socket', socket])
        return bundle.pid
      })
      await given(socket => {
        const file = join(bundle.directory, 'exec-pid')
        // Not by pipes, which the process would hold open.
        const [program, args] = commandOf(runtime, bundle.stateRoot, 'exec', '--detach', '--pid-file', file, '--pidfd-socket', socket, bundle.id, 'sleep', '50')
        execFileSync(program, args, { stdio: 'ignore' })
        return Number(readFileSync(file, 'utf8'))
      })
    } finally {
      for (const path of [receiver, `${receiver}.maps`, `${receiver}.map`]) rmSync(path, { recursive: true, force: true })
    }
  }, { alone: 'runc 1.2 has it, Debian has 1.1' })

  test('exec takes users and groups by number, and a working directory from the root', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    expect(bundle.exec(['id', '-u'], ['--user', '5:6']).stdout).toBe('5\n')
    expect(bundle.exec(['id'], ['--user', '5:6', '-g', '7', '-g', '8']).stdout).toBe('uid=5 gid=6 groups=7,8\n')
    for (const [options, says] of [[['--user', 'abc'], /parsing abc as int for uid failed/], [['--user', '1:x'], /parsing x as int for gid failed/], [['--cwd', 'bin'], /Cwd must be an absolute path/]] as const) {
      expect(bundle.exec(['id'], [...options])).toMatchObject({ status: 255, stderr: expect.stringMatching(says) as string })
    }
    expect(bundle.exec(['id'], ['-g', 'abc']).status).not.toBe(0)
  }, { except: other })

  test('kill 0 asks whether there is a process, and list takes no words', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    expect(bundle.invoke(['kill', bundle.id, '0']).status).toBe(0)
    bundle.invoke(['kill', bundle.id, 'KILL'])
    await until('stopped', () => bundle.status === 'stopped')
    expect(bundle.invoke(['kill', bundle.id, '0']).status).not.toBe(0)
    expect(bundle.invoke(['list', 'word']).status).not.toBe(0)
  }, { except: other })

  test('a terminal needs a place, and a place needs a terminal', async runtime => {
    await using bundle = new Bundle(runtime, ['true'], spec => { spec.process.terminal = true })
    expect(bundle.create().stderr).toContain('cannot allocate tty')
    await using plain = new Bundle(runtime, ['true'])
    expect(plain.create(['--console-socket', '/no/socket']).stderr).toContain('cannot use console socket')
  }, { except: other })

  test('a user without rights runs a container in a user namespace, without cgroups', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'id -u; cat /proc/self/uid_map; cat /proc/self/setgroups'])
    rmSync(join(bundle.directory, 'config.json'))
    const asUser = (...args: string[]) => {
      const [program, all] = commandOf(runtime, bundle.stateRoot, ...args)
      return execFileSync('setpriv', ['--reuid', '1000', '--regid', '1000', '--clear-groups', program, ...all], { encoding: 'utf8', cwd: bundle.directory, input: '' })
    }
    execFileSync('chown', ['-R', '1000:1000', bundle.directory])
    asUser('spec', '--rootless')
    const spec = JSON.parse(readFileSync(join(bundle.directory, 'config.json'), 'utf8')) as Spec
    if (spec.process) Object.assign(spec.process, { terminal: false, args: ['sh', '-c', 'id -u; cat /proc/self/uid_map; cat /proc/self/setgroups'] })
    writeFileSync(join(bundle.directory, 'config.json'), JSON.stringify(spec))
    expect(asUser('run', bundle.id).replace(/ +/g, ' ')).toBe('0\n 0 1000 1\ndeny\n')
    if (spec.process) spec.process.args = ['sleep', '100']
    writeFileSync(join(bundle.directory, 'config.json'), JSON.stringify(spec))
    const [program, run] = commandOf(runtime, bundle.stateRoot, 'run', '--detach', `${bundle.id}-2`)
    execFileSync('setpriv', ['--reuid', '1000', '--regid', '1000', '--clear-groups', program, ...run], { cwd: bundle.directory, stdio: 'ignore' })
    try {
      // In all of its namespaces: pid 1 is the container's.
      expect(asUser('exec', `${bundle.id}-2`, 'sh', '-c', 'id -u; cat /proc/1/cmdline; cat /proc/self/setgroups').replaceAll('\0', ' ')).toBe('0\nsleep 100 deny\n')
    } finally {
      asUser('delete', '--force', `${bundle.id}-2`)
    }
  }, { except: other })

  test('the root of a user namespace runs containers, and programs in them, that share its users (podman without root)', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'], spec => {
      spec.linux.namespaces = [{ type: 'pid' }, { type: 'ipc' }, { type: 'uts' }, { type: 'mount' }]
      spec.mounts = spec.mounts.filter(({ destination }) => destination === '/proc' || destination === '/dev')
      delete spec.linux.resources
      delete spec.linux.cgroupsPath
    })
    execFileSync('chown', ['-R', '1000:1000', bundle.directory])
    const line = (...args: string[]) => commandOf(runtime, bundle.stateRoot, ...args).flat().map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
    const script = `${line('run', '--detach', bundle.id)} >/dev/null 2>&1 </dev/null && ${line('exec', bundle.id, 'sh', '-c', 'cat /proc/1/cmdline /proc/self/uid_map; id -u')}; status=$?; ${line('delete', '--force', bundle.id)}; exit $status`
    const shown = execFileSync('setpriv', ['--reuid', '1000', '--regid', '1000', '--clear-groups', 'unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', script], { encoding: 'utf8', cwd: bundle.directory })
    expect(shown.replaceAll('\0', ' ').replace(/ +/g, ' ')).toBe('sleep 100 0 1000 1\n0\n')
  }, { except: other })
})
