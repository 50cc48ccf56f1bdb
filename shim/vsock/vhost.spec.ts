import { beforeEach, describe, expect, it } from 'vitest'
import { E } from '../../native/ts/errno.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { hasKernelVhost, KernelVsock } from './vhost.ts'

const cidOf = (call: readonly unknown[] | undefined) => Number(new DataView((call?.[2] as Uint8Array).buffer).getBigUint64(0, true))

describe('kernel vsock', () => {
  beforeEach(() => {
    fake.reset()
    fake.put('/dev/vhost-vsock', '')
  })

  it('is there when its device is', () => {
    expect(hasKernelVhost()).toBe(true)
    fake.fail('openat', E.ENODEV)
    expect(hasKernelVhost()).toBe(false)
    expect(fake.held().fds).toEqual([])
    fake.nodes.delete('/dev/vhost-vsock')
    expect(hasKernelVhost()).toBe(false)
  })

  it('claims a guest CID and listens on a port of the kernel\'s choice', async () => {
    fake.onCall('getsocknameVsock', () => ({ cid: 0xffffffff, port: 4711 }))
    const device = await new KernelVsock().listen()
    expect(device).toMatchObject({ kind: 'vhost', controlPort: 4711, guestCid: cidOf(fake.callsOf('ioctlBuffer')[0]) })
    expect(cidOf(fake.callsOf('ioctlBuffer')[0])).toBeGreaterThan(2)
    expect(fake.callsOf('bindVsock')[0]?.slice(1)).toEqual([0xffffffff, 0xffffffff])
  })

  it('tries another CID when one is taken, and gives up after some', async () => {
    fake.fail('ioctlBuffer', E.EADDRINUSE)
    await new KernelVsock().listen()
    expect(fake.callsOf('ioctlBuffer')).toHaveLength(2)
    fake.onCall('ioctlBuffer', () => -E.EADDRINUSE)
    await expect(new KernelVsock().listen()).rejects.toThrow('no free vsock CID')
  })

  it('takes only its own guest\'s connection, and closes the others', async () => {
    const vsock = new KernelVsock()
    const device = await vsock.listen()
    const peers = [{ cid: 99, port: 1 }, { cid: device.kind === 'vhost' ? device.guestCid : 0, port: 2 }]
    fake.onCall('accept4', () => fake.install({ what: 'accepted', position: 0 }))
    fake.onCall('getpeernameVsock', () => peers.shift())
    const connection = await vsock.acceptAgent()
    expect(connection.open).toBe(true)
    expect(fake.held().fds.filter(what => what === 'accepted')).toHaveLength(1)
    expect(fake.held().fds.filter(what => what === 'socket')).toHaveLength(0)
    await vsock.close()
    await vsock.close()
    connection.close()
    expect(fake.held()).toMatchObject({ fds: [], watches: [] })
  })
})
