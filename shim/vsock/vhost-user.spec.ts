import { beforeEach, describe, expect, it, vi } from 'vitest'
import { E } from '../../native/ts/errno.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { SocketDirectory } from './socket-directory.ts'
import { VhostUserVsock } from './vhost-user.ts'

const state = '/run/kata-ts/default/s1'
const vsock = (privileges?: { uid: number; gid: number; groups: number[] }) =>
  new VhostUserVsock('/bin/vsockd', { stateDir: state, privileges: privileges && (() => privileges) })

describe('vhost-user vsock', () => {
  beforeEach(() => {
    fake.reset()
    fake.put('/bin/vsockd', 'x', 0o755)
    fake.makeParents(`${state}/x`)
    // The fake knows no /proc/self/fd: binding and connecting are recorded only.
    fake.onCall('bindUnix', () => 0)
    fake.onCall('connectUnix', () => 0)
    fake.onCall('getPeerCred', () => ({ pid: pid(), uid: 0, gid: 0 }))
  })
  const pid = () => [...fake.processes.keys()][0] ?? 0

  it('listens for the agent before it starts the daemon: the guest may dial as soon as it runs', async () => {
    const device = await vsock().listen()
    expect(device).toMatchObject({ kind: 'vhost-user', controlPort: 1024 })
    const names = fake.names()
    expect(names.indexOf('listen')).toBeLessThan(names.indexOf('clone3'))
    expect(String(fake.callsOf('bindUnix')[0]?.[1])).toMatch(/^\/proc\/self\/fd\/\d+\/vsock\.sock_1024$/)
  })

  it('waits until the daemon listens', async () => {
    const answers = [-E.ENOENT, -E.ECONNREFUSED, 0]
    fake.onCall('connectUnix', () => answers.shift())
    await vsock().listen()
    expect(answers).toEqual([])
  })

  it('makes the daemon\'s user the owner of its directory and of the agent\'s socket', async () => {
    await vsock({ uid: 1_900_000_042, gid: 1_900_000_042, groups: [] }).listen()
    expect(fake.callsOf('fchownat').map(call => call.slice(1, 4))).toEqual([
      [`${state}/vsock`, 1_900_000_042, 1_900_000_042], [`${state}/vsock/vsock.sock_1024`, 1_900_000_042, 1_900_000_042],
    ])
  })

  it('says how the daemon ended where it ends at its start', async () => {
    fake.onCall('connectUnix', () => -E.ENOENT)
    const listening = vsock().listen()
    listening.catch(() => {})
    await vi.waitFor(() => expect(pid()).not.toBe(0))
    fake.exitProcess(pid(), 2)
    await expect(listening).rejects.toThrow('vsockd exited with status 2')
  })

  it('takes one connection of the agent, then nobody can make another', async () => {
    const way = vsock()
    await way.listen()
    fake.onCall('accept4', () => fake.install({ what: 'accepted', position: 0 }))
    const connection = await way.acceptAgent()
    await expect(way.acceptAgent()).rejects.toThrow('without a listener')
    expect(fake.callsOf('unlinkat').map(call => call[1])).toContain(`${state}/vsock/vsock.sock_1024`)
    connection.close()
  })

  it.each([['openat', 0], ['socket', 0], ['listen', 0], ['pipe2', 0], ['clone3', 0], ['fchownat', 0], ['fchownat', 1], ['connectUnix', 0], ['mkdirat', 0]] as const)(
    'when %s fails after %i, close leaves nothing', async (call, after) => {
      fake.fail(call, E.EACCES, after)
      const way = vsock({ uid: 7, gid: 7, groups: [] })
      await expect(way.listen()).rejects.toThrow('EACCES')
      await way.close()
      await way.close()
      expect(fake.held()).toEqual({ fds: [], mounts: [], processes: [], watches: [] })
      expect([...fake.nodes.keys()].filter(path => path.startsWith(`${state}/`))).toEqual([])
    })

  it('sends nothing to a socket that is not the daemon\'s, and takes no call from one', async () => {
    const way = vsock()
    await way.listen()
    const peers = [{ pid: 1, uid: 0, gid: 0 }, { pid: 1, uid: 0, gid: 0 }, { pid: pid(), uid: 0, gid: 0 }]
    fake.onCall('getPeerCred', () => peers.shift())
    fake.onCall('accept4', () => fake.install({ what: 'accepted', position: 0 }))
    await expect(way.connect(1025)).rejects.toThrow("is not the daemon's")
    expect(fake.callsOf('send')).toEqual([])
    const connection = await way.acceptAgent()
    expect(fake.held().fds.filter(what => what === 'accepted')).toHaveLength(1)
    connection.close()
    await way.close()
    expect(fake.held().fds).toEqual([])
  })

  it('refuses to connect before there is a VM', async () => {
    await expect(vsock().connect(1025)).rejects.toThrow('before the VM was launched')
  })
})

describe('SocketDirectory', () => {
  it('names sockets through a descriptor, so that its own path may be of any length', () => {
    fake.reset()
    const path = `/run/${'n'.repeat(70)}/${'i'.repeat(64)}`
    fake.makeParents(`${path}/x`)
    fake.onCall('bindUnix', () => 0)
    using directory = new SocketDirectory(path)
    using _listener = directory.listen('a.sock')
    const name = String(fake.callsOf('bindUnix')[0]?.[1])
    expect(name.length).toBeLessThan(108)
  })
})
