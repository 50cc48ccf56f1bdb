import { beforeEach, describe, expect, it } from 'vitest'
import { E } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import { Container } from './container.ts'
import type { InitMessage } from './init/dialogue.ts'
import type { ProcessIo } from './options.ts'

const directory = '/sys/fs/cgroup/pods/c1'

const spec: Spec = {
  ociVersion: '1.2.0',
  root: { path: 'rootfs' },
  process: { args: ['true'], cwd: '/', user: { uid: 0, gid: 0 } },
  linux: {
    namespaces: [{ type: 'mount' }, { type: 'pid' }, { type: 'network', path: '/run/netns/pod' }, { type: 'ipc', path: '/run/ipcns' }],
    resources: { memory: { limit: 1 << 20 }, cpu: { shares: 512 }, pids: { limit: 5 } },
  },
}

/** What init will say, in order; with `terminal`, a descriptor comes along. End of file afterwards. */
function initSays(messages: InitMessage[]): void {
  const left = [...messages]
  fake.onCall('recvFds', (_fd: number, buffer: Uint8Array) => {
    const message = left.shift()
    if (!message) return { bytes: 0, fds: [] }
    const bytes = new TextEncoder().encode(JSON.stringify(message))
    buffer.set(bytes)
    return { bytes: bytes.length, fds: message.type === 'terminal' ? [fake.install({ what: 'pty master', position: 0 })] : [] }
  })
}

function pipes(): ProcessIo {
  const fd = (what: string) => new Fd(fake.install({ what, position: 0 }), what)
  return { terminal: false, stdin: fd('stdin'), stdout: fd('stdout'), stderr: fd('stderr') }
}

const create = (io: ProcessIo = pipes(), changed: Spec = spec) => Container.create({ id: 'c1', bundle: '/bundle', spec: changed, io, cgroupPath: '/pods/c1' })

/** A machine with cgroup v2, on which init does as it is told. */
function machine(): void {
  fake.reset()
  fake.put('/proc/self/mountinfo', '30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw\n')
  fake.put('/sys/fs/cgroup/cgroup.controllers', 'cpu memory pids\n')
  for (const path of ['/run/netns/pod', '/run/ipcns', '/proc/self/ns/pid_for_children', '/dev/null']) fake.put(path, '')
  // A cgroup's files are the kernel's: they are there as soon as the directory is, and take one write.
  fake.onCall('writeFile', (_dirfd: number, _path: string, data: string) => data.length)
  // bpf(2) BPF_PROG_LOAD gives a descriptor, the other calls by number 0.
  fake.onCall('syscall', (number: number, command: number) => (number === 321 && command === 5 ? fake.install({ what: 'device program', position: 0 }) : 0))
  initSays([{ type: 'created' }])
}

beforeEach(machine)

/** Calls that cannot fail in a way that matters, or whose failure the fake would turn into a leak of its own. */
const unfailing = new Set(['close', 'unwatch', 'clearTimer', 'utf8Encode', 'utf8Decode', 'monotonicMs', 'setTimer', 'readFile'])

const held = () => ({ ...fake.held(), cgroup: fake.nodes.has(directory) })
const nothing = { fds: [], mounts: [], processes: [], watches: [], cgroup: false }

describe('create', () => {
  it('clones init into its cgroup and new namespaces, and waits for created', async () => {
    const container = await create()
    expect(fake.callsOf('clone3')).toEqual([[expect.objectContaining({ flags: 0x20000 | 0x20000000, exitSignal: 17, cgroupFd: expect.any(Number) as number })]])
    expect(container.waitsForStart).toBe(true)
    expect(fake.processes.size).toBe(1)
  })

  it('leaves it to init to enter a cgroup of version 1, by files that are open before it is cloned', async () => {
    fake.put('/proc/self/mountinfo', '31 23 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,cpu,memory,devices,pids\n')
    fake.put('/sys/fs/cgroup/pids/pods/c1/tasks', '')
    fake.nodes.delete('/sys/fs/cgroup/pids/pods/c1')
    await create()
    const names = fake.calls.map(({ name, args }) => (String(args[1]).endsWith('/tasks') ? 'tasks' : name === 'send' ? 'go' : name))
    expect(names.filter(name => ['clone3', 'tasks', 'go'].includes(name))).toEqual(['tasks', 'go', 'clone3'])
    // Between the rule that denies every device and those that allow some, init could not make any.
    const rules = fake.calls.flatMap(({ args }, at) => (/\/devices\.(deny|allow)$/.test(String(args[1])) ? [at] : []))
    expect(rules.length).toBeGreaterThan(3)
    expect(Math.max(...rules)).toBeLessThan(names.indexOf('clone3'))
    expect(fake.calls.filter(({ args }) => String(args[1]).endsWith('cgroup.procs'))).toEqual([])
    expect(fake.held().fds).not.toContain('/sys/fs/cgroup/pids/pods/c1/tasks')
  })

  it('gives init’s own error, whole', async () => {
    initSays([{ type: 'failed', error: { kind: 'sys', call: 'mount', object: 'proc', errno: E.EPERM, fix: 'ask root' } }])
    await expect(create()).rejects.toMatchObject({ call: 'mount', object: 'proc', errno: E.EPERM, fix: 'ask root' })
    expect(held()).toEqual(nothing)
  })

  it('says so when init is killed', async () => {
    initSays([])
    await expect(create()).rejects.toThrow('expected created from init, received end of file')
    expect(held()).toEqual(nothing)
  })

  it('refuses a message that is not due', async () => {
    initSays([{ type: 'mounted' }])
    await expect(create()).rejects.toThrow('expected created from init, received mounted')
    expect(held()).toEqual(nothing)
  })

  it('closes the terminal of an init that fails after it', async () => {
    initSays([{ type: 'terminal' }, { type: 'failed', error: { kind: 'fault', what: 'no' } }])
    await expect(create({ terminal: true })).rejects.toThrow('no')
    expect(held()).toEqual(nothing)
  })

  it('steps into a pid namespace to be joined, and back', async () => {
    fake.put('/run/pidns', '')
    await create(pipes(), { ...spec, linux: { ...spec.linux, namespaces: [{ type: 'mount' }, { type: 'pid', path: '/run/pidns' }] } })
    expect(fake.names().filter(name => name === 'setns' || name === 'clone3')).toEqual(['setns', 'setns', 'clone3', 'setns'])
  })

  it('leaves nothing, whichever call fails', async () => {
    await create()
    const counts = new Map<string, number>()
    const steps = fake.names().map(name => {
      const after = counts.get(name) ?? 0
      counts.set(name, after + 1)
      return { name, after }
    }).filter(({ name }) => !unfailing.has(name))
    expect(steps.length).toBeGreaterThan(20)
    let failures = 0
    for (const { name, after } of steps) {
      machine()
      fake.fail(name, E.EIO, after)
      await create().then(async container => {
        await container.delete(true)
        // Reaping it is the caller's, who finds it killed.
        expect(fake.processes.get(container.init.pid)?.exit).toBeDefined()
        fake.processes.clear()
      }, () => { failures++ })
      expect({ step: `${name} ${after}`, ...held() }).toEqual({ step: `${name} ${after}`, ...nothing })
    }
    expect(failures).toBeGreaterThan(steps.length / 2)
  })
})
