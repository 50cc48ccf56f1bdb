import { beforeEach, describe, expect, it } from 'vitest'
import { LOOP_CTL_ADD } from '../../native/ts/constants/ioctl.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { withGuestDevices } from './guest-devices.ts'

const spec = { ociVersion: '1.2.0' }
const paths = (devices: { path: string }[] | undefined) => devices?.map(device => device.path).sort()

function device(path: string, major: number, minor: number): void {
  fake.makeParents(path)
  fake.nodes.set(path, { kind: 'device', mode: 0o660, major, minor })
}

beforeEach(() => {
  fake.reset()
  for (const [path, major, minor] of [['/dev/null', 1, 3], ['/dev/net/tun', 10, 200], ['/dev/pts/0', 136, 0], ['/dev/console', 5, 1], ['/dev/ptmx', 5, 2]] as const) device(path, major, minor)
})

describe('withGuestDevices', () => {
  it('adds every node of /dev with its mode, but for those that each container has of its own', () => {
    const { linux } = withGuestDevices(spec)
    expect(paths(linux?.devices)).toEqual(['/dev/net/tun', '/dev/null'])
    expect(linux?.devices?.find(each => each.path === '/dev/net/tun')).toMatchObject({ type: 'c', major: 10, minor: 200, fileMode: 0o660 })
  })

  it('allows them all, and keeps other limits', () => {
    const { linux } = withGuestDevices({ ...spec, linux: { resources: { pids: { limit: 9 }, devices: [{ allow: false, access: 'rwm' }] } } })
    expect(linux?.resources).toEqual({ pids: { limit: 9 }, devices: [{ allow: false, access: 'rwm' }, { allow: true, type: 'a', access: 'rwm' }] })
  })

  it('lets the spec’s own device of a path win, and keeps everything else of the spec', () => {
    const own = { path: '/dev/null', type: 'c', major: 1, minor: 3, uid: 5 }
    const given = withGuestDevices({ ...spec, hostname: 'h', linux: { devices: [own], sysctl: { a: '1' } } })
    expect(given).toMatchObject({ hostname: 'h', linux: { sysctl: { a: '1' } } })
    expect(given.linux?.devices?.filter(each => each.path === '/dev/null')).toEqual([own])
  })

  it('asks for the eight loop devices that a machine has, where the kernel has any', () => {
    withGuestDevices(spec)
    expect(fake.callsOf('ioctl')).toEqual([])
    fake.put('/dev/loop-control', '')
    withGuestDevices(spec)
    expect(fake.callsOf('ioctl').map(([, request, index]) => [request, index])).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map(index => [LOOP_CTL_ADD, index]))
    expect(fake.held().fds).toEqual([])
  })

  it('is not led astray by a /dev without end', () => {
    for (let index = 0; index < 1500; index++) device(`/dev/many/d${index}`, 4, index)
    device('/dev/a/b/c/d/e/f', 9, 9)
    const { linux } = withGuestDevices(spec)
    expect(linux?.devices?.length).toBeLessThanOrEqual(1024)
    expect(paths(linux?.devices)).not.toContain('/dev/a/b/c/d/e/f')
  })
})
