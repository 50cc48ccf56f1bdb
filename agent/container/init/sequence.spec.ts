import { beforeEach, describe, expect, it } from 'vitest'
import { PR_CAPBSET_READ } from '../../../native/ts/constants/prctl.ts'
import { E } from '../../../native/ts/errno.ts'
import { fake, ProcessEnded } from '../../../native/ts/fake/sys.ts'
import { Fd } from '../../../native/ts/fd.ts'
import type { Spec } from '../../../protocol/oci/spec.ts'
import { CgroupTasks } from '../cgroup/tasks.ts'
import { planNamespaces } from '../namespaces/plan.ts'
import { planMount } from '../rootfs/mount-options.ts'
import { planCapabilities } from './capabilities.ts'
import { runChild } from './child.ts'
import { type InitMessage, ParentLink } from './dialogue.ts'
import type { InitPlan } from './plan.ts'
import { runInit } from './sequence.ts'

/** What the fake throws where the real process has become the program. */
class Executed extends Error {}

let told: InitMessage[] = []
let profile: string | undefined
let cgroupTasks: CgroupTasks | undefined

const spec: Spec = {
  ociVersion: '1.2.0',
  root: { path: '/bundle/rootfs', readonly: true },
  hostname: 'box',
  process: {
    args: ['prog'], cwd: '/work', env: ['PATH=/bin'], user: { uid: 1000, gid: 1000, additionalGids: [7] }, noNewPrivileges: true, oomScoreAdj: 100,
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 10, hard: 10 }], capabilities: { bounding: ['CAP_KILL'], permitted: ['CAP_KILL'], effective: ['CAP_KILL'] },
  },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/data', type: 'bind', source: '/volume', options: ['rbind', 'ro'] },
  ],
  linux: {
    namespaces: [{ type: 'mount' }, { type: 'pid' }, { type: 'uts' }, { type: 'network' }, { type: 'cgroup' }],
    sysctl: { 'net.ipv4.ip_forward': '1' }, maskedPaths: ['/proc/kcore', '/secret'], readonlyPaths: ['/proc/sys'],
  },
}

function machine(): void {
  fake.reset()
  told = []
  profile = undefined
  cgroupTasks = undefined
  for (const path of ['/bundle/rootfs/x', '/secret/x', '/proc/sys/x', '/work/x', '/volume/x', '/proc/kcore', '/bin/prog', '/etc/passwd']) fake.put(path, '', 0o755)
  fake.nodes.set('/.', { kind: 'directory', mode: 0o755 })
  fake.nodes.set('/dev', { kind: 'directory', mode: 0o755 })
  fake.nodes.set('/dev/null', { kind: 'device', mode: 0o666, major: 1, minor: 3 })
  fake.onCall('writeFile', (_dirfd: number, _path: string, data: string) => data.length)
  const due = ['go', 'start']
  fake.onCall('recv', (_fd: number, buffer: Uint8Array) => {
    const bytes = new TextEncoder().encode(JSON.stringify({ type: due.shift() }))
    buffer.set(bytes)
    return bytes.length
  })
  fake.onCall('send', (_fd: number, bytes: Uint8Array) => {
    told.push(JSON.parse(new TextDecoder().decode(bytes)) as InitMessage) // init's own message
    return bytes.length
  })
  fake.onCall('umount2', () => 0)
  fake.onCall('prctl', (option: number, number: number) => (option !== PR_CAPBSET_READ ? 0 : number <= 40 ? 1 : -E.EINVAL))
  fake.onCall('execve', () => { throw new Executed() })
  fake.onCall('fcntl', (fd: number) => fd + 100)
}

function run(): 'executed' | 'failed' {
  const fd = (what: string) => new Fd(fake.install({ what, position: 0 }), what)
  const plan: InitPlan = {
    id: 'c1', bundle: '/bundle', spec, process: spec.process ?? never(), rootPath: '/bundle/rootfs', pass: [], annotations: {}, parentIsUser: false, noPivot: false, keepKeyring: false,
    io: { terminal: false, stdin: fd('stdin'), stdout: fd('stdout'), stderr: fd('stderr') },
    namespaces: planNamespaces(spec.linux?.namespaces ?? []), mounts: (spec.mounts ?? []).map(mount => planMount(mount, '/bundle')), cgroupMounts: [],
    capabilities: planCapabilities(spec.process?.capabilities, () => undefined),
    seccomp: { program: new Uint8Array(8), flags: 0, asks: false }, profile, startListener: undefined, parentHooks: false, mapped: false, cgroupTasks,
  }
  const link = new ParentLink(fake.install({ what: 'link', position: 0 }))
  // Planning is the parent's work; the child's begins here.
  fake.calls = []
  try {
    return runChild(link, () => {
      try {
        return runInit(plan, link)
      } catch (error) {
        // The real execve never comes back: what follows it is not judged.
        if (error instanceof Executed) throw new ProcessEnded(0)
        throw error
      }
    })
  } catch (error) {
    if (!(error instanceof ProcessEnded)) throw error
    return told.some(({ type }) => type === 'failed') && !fake.names().includes('execve') ? 'failed' : 'executed'
  }
}

function never(): never {
  throw new TypeError('the spec of this test has a process')
}

beforeEach(machine)

const order = (...names: string[]) => fake.names().filter(name => names.includes(name))

describe('the init sequence', () => {
  it('goes on only when the parent says go, and says created before it waits for start', () => {
    expect(run()).toBe('executed')
    const names = order('recv', 'send', 'unshare', 'pivotRoot', 'execve')
    expect(names.slice(0, names.indexOf('execve') + 1)).toEqual(['recv', 'unshare', 'pivotRoot', 'send', 'recv', 'execve'])
    expect(told[0]).toEqual({ type: 'created' })
  })

  it('enters its cgroup of version 1 before it makes a cgroup namespace, which is rooted where its maker is', () => {
    const files = ['/sys/fs/cgroup/cpu/c1', '/sys/fs/cgroup/pids/c1']
    for (const file of files) fake.put(`${file}/tasks`, '')
    cgroupTasks = new CgroupTasks(files)
    expect(run()).toBe('executed')
    expect(order('recv', 'write', 'unshare').slice(0, 4)).toEqual(['recv', 'write', 'write', 'unshare'])
    expect(files.map(file => fake.text(`${file}/tasks`))).toEqual(['0', '0'])
  })

  it('tells the parent of a cgroup that does not take it', () => {
    fake.put('/sys/fs/cgroup/cpu/c1/tasks', '')
    cgroupTasks = new CgroupTasks(['/sys/fs/cgroup/cpu/c1'])
    fake.fail('write', E.ENOSPC)
    expect(run()).toBe('failed')
    expect(told.at(-1)).toMatchObject({ type: 'failed', error: { object: '"0" to /sys/fs/cgroup/cpu/c1/tasks', errno: E.ENOSPC } })
  })

  it('writes below /proc only while it is the runtime’s', () => {
    run()
    const names = fake.names()
    expect(names.lastIndexOf('writeFile')).toBeLessThan(names.indexOf('openTree'))
  })

  it('makes the root read-only after all that writes to it, and before the pivot', () => {
    run()
    const names = fake.names()
    expect(names.lastIndexOf('mknodat')).toBeLessThan(names.lastIndexOf('mountSetattr'))
    expect(names.lastIndexOf('mkdirat')).toBeLessThan(names.indexOf('pivotRoot'))
  })

  it('drops groups, then group, then user, and regains capabilities before it gives them up for good', () => {
    run()
    expect(order('setgroups', 'setresgid', 'setresuid', 'capset')).toEqual(['setgroups', 'setresgid', 'setresuid', 'capset', 'capset'])
    expect(fake.callsOf('capset').at(-1)).toEqual([1n << 5n, 1n << 5n, 0n])
  })

  it('sets limits before the user, as raising one takes a capability', () => {
    run()
    expect(order('setrlimit', 'setresuid')).toEqual(['setrlimit', 'setresuid'])
  })

  it('loads the filter last with no_new_privs', () => {
    run()
    expect(order('capset', 'seccompSetModeFilter', 'execve').slice(-3)).toEqual(['capset', 'seccompSetModeFilter', 'execve'])
  })

  it('chooses the AppArmor profile before it says created, in a file that it opened while /proc was the runtime’s', () => {
    fake.put('/proc/self/attr/apparmor/exec', '')
    profile = 'docker-default'
    expect(run()).toBe('executed')
    const opened = fake.calls.findIndex(({ name, args }) => name === 'openat' && args[1] === '/proc/self/attr/apparmor/exec')
    const chosen = fake.calls.findIndex(({ name }) => name === 'write')
    expect(opened).toBeLessThan(fake.names().indexOf('openTree'))
    expect(chosen).toBeGreaterThan(fake.names().indexOf('pivotRoot'))
    expect(chosen).toBeLessThan(fake.names().indexOf('send'))
    expect(fake.text('/proc/self/attr/apparmor/exec')).toBe('exec docker-default')
  })

  it('fails for a profile that is not loaded, and says what to do', () => {
    fake.put('/proc/self/attr/exec', '')
    fake.fail('write', E.ENOENT)
    profile = 'missing'
    expect(run()).toBe('failed')
    expect(told.at(-1)).toMatchObject({ type: 'failed', error: { object: 'AppArmor profile missing (process.apparmorProfile)', errno: E.ENOENT, fix: 'load the profile with apparmor_parser' } })
  })

  it('tells the parent of every step that fails, by its call', () => {
    run()
    const counts = new Map<string, number>()
    // What is wrong with these is no failure of the sequence: lookups, closing, text.
    const quiet = new Set(['close', 'utf8Encode', 'utf8Decode', 'send', 'recv', 'getpid', 'umask', '_exit', 'execve', 'readlinkat', 'statx', 'openat2', 'faccessat', 'getcwd'])
    const steps = fake.names().slice(0, fake.names().indexOf('execve')).map(name => {
      const after = counts.get(name) ?? 0
      counts.set(name, after + 1)
      return { name, after }
    }).filter(({ name }) => !quiet.has(name))
    expect(steps.length).toBeGreaterThan(60)
    const tolerated: string[] = []
    for (const { name, after } of steps) {
      machine()
      fake.fail(name, E.EIO, after)
      if (run() === 'executed') {
        tolerated.push(name)
        continue
      }
      const failure = told.at(-1)
      expect(failure?.type, `${name} ${after}`).toBe('failed')
      if (failure?.type === 'failed') expect(failure.error, `${name} ${after}`).toMatchObject({ kind: 'sys', errno: E.EIO })
    }
    // A directory that is entered as root or as the user, and an /etc/passwd that cannot be read, are no errors.
    expect([...new Set(tolerated)].sort()).toEqual(['chdir', 'openat'])
  })
})
