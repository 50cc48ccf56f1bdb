import { beforeEach, describe, expect, it } from 'vitest'
import { E } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import type { Cgroup } from './cgroup/cgroup.ts'
import { CgroupV2 } from './cgroup/v2/cgroup.ts'
import { Container } from './container.ts'
import type { ProcessIo } from './options.ts'
import { ContainerProcess } from './process.ts'

const process = { args: ['true'], cwd: '/', user: { uid: 0, gid: 0 } }

function pipes(): ProcessIo {
  const fd = (what: string) => new Fd(fake.install({ what, position: 0 }), what)
  return { terminal: false, stdin: fd('stdin'), stdout: fd('stdout'), stderr: fd('stderr') }
}

/** proc(5): field 22 is the start time. */
const statLine = (pid: number) => `${pid} (sleep) S ${Array.from({ length: 18 }, () => '0').join(' ')} 777 0\n`

/** A running container whose init is process 50, in namespaces of its own. */
function container(): Container {
  fake.reset()
  for (const path of ['/sys/fs/cgroup/c1/cgroup.events', '/dev/null', '/proc/self/ns/pid_for_children']) fake.put(path, '')
  fake.put('/proc/50/stat', statLine(50))
  for (const [who, inode] of [['50', 2], ['self', 1]] as const) {
    for (const type of ['pid', 'net', 'mnt', 'ipc', 'uts']) {
      fake.makeParents(`/proc/${who}/ns/${type}`)
      fake.nodes.set(`/proc/${who}/ns/${type}`, { kind: 'link', target: `${type}:[${inode}]` })
    }
  }
  fake.onCall('recvFds', () => ({ bytes: 0, fds: [] }))
  const cgroup: Cgroup = new CgroupV2('/sys/fs/cgroup', '/c1')
  return new Container({ id: 'c1', bundle: '/bundle', spec: { ociVersion: '1.2.0' }, init: ContainerProcess.find(50, '777'), cgroup, warn: () => undefined })
}

let running: Container
beforeEach(() => { running = container() })

const heldBeside = () => ({ ...fake.held(), fds: fake.held().fds.filter(what => what !== 'pidfd 50') })

describe('exec', () => {
  it('is born in the container’s pid namespace and cgroup, and comes back to its own', async () => {
    const started = await running.exec(process, pipes())
    expect(fake.names().filter(name => name === 'setns' || name === 'clone3')).toEqual(['setns', 'setns', 'clone3', 'setns'])
    expect(fake.callsOf('clone3')[0]?.[0]).toMatchObject({ flags: 0, cgroupFd: expect.any(Number) as number })
    expect(heldBeside()).toMatchObject({ fds: [`pidfd ${started.pid}`], processes: [started.pid] })
  })

  it('is born beside init where the container has moved that, and never outside the container’s cgroup', async () => {
    fake.put('/sys/fs/cgroup/c1/init.scope/cgroup.procs', '')
    const opened = () => fake.callsOf('openat').map(([, path]) => path).filter(path => String(path).startsWith('/sys/fs/cgroup/c1')).at(-1)
    for (const [place, expected] of [['/c1/init.scope', '/sys/fs/cgroup/c1/init.scope'], ['/c2', '/sys/fs/cgroup/c1'], ['/c1/../c2', '/sys/fs/cgroup/c1']]) {
      fake.put('/proc/50/cgroup', `0::${place}\n`)
      await running.exec(process, pipes())
      expect(opened()).toBe(expected)
    }
  })

  it('refuses a container whose init is gone, also when its pid is another’s now', async () => {
    fake.put('/proc/50/stat', statLine(50).replace('777', '888'))
    await expect(running.exec(process, pipes())).rejects.toThrow(/it is stopped/)
    expect(fake.names()).not.toContain('clone3')
    expect(heldBeside().fds).toEqual([])
  })

  it('refuses a paused container', async () => {
    fake.put('/sys/fs/cgroup/c1/cgroup.events', 'populated 1\nfrozen 1\n')
    await expect(running.exec(process, pipes())).rejects.toThrow(/it is paused/)
    expect(heldBeside().fds).toEqual([])
  })

  it('leaves nothing, whichever call fails', async () => {
    await running.exec(process, pipes())
    const counts = new Map<string, number>()
    const unfailing = new Set(['close', 'utf8Encode', 'utf8Decode', 'readFile', 'readlinkat', 'pidfdOpen', 'pidfdSendSignal', 'prctl', 'capget'])
    const steps = fake.names().slice(fake.names().indexOf('pidfdOpen') + 1).map(name => {
      const after = counts.get(name) ?? 0
      counts.set(name, after + 1)
      return { name, after }
    }).filter(({ name }) => !unfailing.has(name))
    expect(steps.map(({ name }) => name)).toEqual(expect.arrayContaining(['socketpair', 'setns', 'clone3', 'send', 'recvFds']))
    for (const { name, after } of steps) {
      running = container()
      fake.fail(name, E.EIO, after)
      await expect(running.exec(process, pipes()), `${name} ${after}`).rejects.toMatchObject({ errno: E.EIO })
      expect({ step: `${name} ${after}`, fds: heldBeside().fds, processes: fake.held().processes }).toEqual({ step: `${name} ${after}`, fds: [], processes: [] })
    }
  })
})
