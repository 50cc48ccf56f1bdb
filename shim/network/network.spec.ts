import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { parseIp, parsePrefix } from '../../protocol/netlink/ip.ts'
import { RTM } from '../../protocol/netlink/message.ts'
import { NetworkDouble } from '../../protocol/netlink/testing/network.ts'
import type { Journal, Resource } from '../journal.ts'
import { silentLog } from '../log.ts'
import { Netns } from './netns.ts'
import { removeLeft } from './left.ts'
import { Network, type NetworkPlace } from './network.ts'

const path = '/run/netns/pod'
const nsfs = 0x6e736673
const CLONE_NEWNET = 0x40000000

let network: NetworkDouble
let recorded: Resource[]
/** Whether the process is in the pod's namespace, and what was done there. */
let inside: boolean
let isDeadAtHome: boolean

const journal = { record: (resource: Resource) => { recorded.push(resource) } } as unknown as Journal // what Network uses of it
const open = (model: NetworkPlace['model'] = 'auto') => new Network(Netns.open(path), { journal, log: silentLog, stateDir: '/run/kata-ts/s1', model })

beforeEach(() => {
  fake.reset()
  recorded = []
  inside = isDeadAtHome = false
  network = new NetworkDouble()
  fake.put('/proc/thread-self/ns/net', '')
  fake.put('/proc/1/ns/net', '')
  fake.put(path, '')
  fake.put('/dev/net/tun', '')
  fake.put('/proc/sys/net/ipv6/conf/eth0/disable_ipv6', '0\n')
  fake.onCall('statfs', () => ({ type: nsfs, blockSize: 0, blocks: 0, blocksFree: 0, blocksAvailable: 0, files: 0, filesFree: 0, flags: 0 }))
  fake.onCall('ioctl', () => CLONE_NEWNET)
  fake.onCall('setns', () => {
    if (inside && isDeadAtHome) return -22
    inside = !inside
    return 0
  })
  fake.onCall('socket', () => {
    expect(inside).toBe(true)
    return fake.install({ what: 'rtnetlink', position: 0 })
  })
  fake.onCall('ioctlBuffer', (_fd: number, _request: number, ifreq: Uint8Array) => {
    expect(inside).toBe(true)
    ifreq[4] = '0'.charCodeAt(0)
    ifreq[5] = 0
    return 0
  })
  fake.onCall('send', (_fd: number, message: Uint8Array) => { network.send(message); return message.length })
  fake.onCall('recv', (_fd: number, buffer: Uint8Array) => { const got = network.receive(); buffer.set(got); return got.length })
})

const sent = (type: number) => network.seen.filter(seen => seen.type === type)
const taps = () => [...fake.fds.values()].filter(file => file.what === '/dev/net/tun').length

describe('a pod\'s network', () => {
  it('has a NIC for each Ethernet interface in use, and tells the guest what it has', () => {
    network.link(1, 'lo', { type: 772 }).link(2, 'eth0', { mac: '02:00:00:00:00:02', mtu: 1450 }).link(3, 'gretap0', { up: false }).link(4, 'tunl0', { type: 768, up: false })
      .address(2, '10.1.0.2/24').address(2, 'fd00::2/64').neighbour(2, parseIp('10.1.0.1'), '02:00:00:00:00:99')
      .route({ destination: undefined, gateway: parseIp('10.1.0.1'), index: 2 })
      .route({ destination: parsePrefix('10.1.0.0/24'), gateway: undefined, index: 2 }, 2)
    const pod = open()
    expect(pod.connect()).toMatchObject([{ id: 'net0', mac: '02:00:00:00:00:02', mtu: 1450 }])
    expect(pod.interfaces).toMatchObject([{
      name: 'eth0', mtu: 1450, ipv6Disabled: false,
      addresses: [{ address: parseIp('10.1.0.2'), prefixLength: 24 }, { address: parseIp('fd00::2'), prefixLength: 64 }],
      routes: [{ destination: parseIp('0.0.0.0'), prefixLength: 0, gateway: parseIp('10.1.0.1'), table: 254 }],
      neighbours: [{ address: parseIp('10.1.0.1') }],
    }])
  })

  it('is loopback only where the namespace has nothing else', () => {
    network.link(1, 'lo', { type: 772 })
    expect(open().connect()).toEqual([])
    expect([recorded, taps()]).toEqual([[], 0])
  })

  it('notes a redirect before it is made, and removes it at its end', () => {
    network.link(2, 'eth0')
    const pod = open()
    fake.onCall('send', (_fd: number, message: Uint8Array) => {
      network.send(message)
      if (sent(RTM.NEWTFILTER).length > 0) expect(recorded).toMatchObject([{ kind: 'redirect', path, index: 2, name: 'eth0' }])
      return message.length
    })
    for (const nic of pod.connect()) nic.tap.close()
    expect([sent(RTM.NEWQDISC).length, sent(RTM.NEWTFILTER).length]).toEqual([2, 2])
    pod.close()
    pod.close()
    expect(sent(RTM.DELQDISC)).toHaveLength(1)
    expect([...fake.fds.values()].map(file => file.what)).toEqual([])
  })

  it('leaves no tap when a redirect cannot be made, and is home again', () => {
    network.link(2, 'eth0').refuses.set(RTM.NEWTFILTER, 22)
    const pod = open()
    expect(() => pod.connect()).toThrow(`interface eth0 of ${path} cannot be connected to the VM`)
    expect([taps(), inside]).toEqual([0, false])
    pod.close()
    expect(sent(RTM.DELQDISC)).toHaveLength(1)
  })

  it.each(['auto', 'macvtap'] as const)('takes the interface by macvtap on a host without tc (model %s)', model => {
    if (model === 'auto') network.refuses.set(RTM.NEWQDISC, 95)
    network.link(2, 'eth0')
    fake.put('/run/kata-ts/s1', '')
    fake.onCall('readFile', (_dirfd: number, file: string) => file === '/run/kata-ts/s1/macvtap/class/net/kata-m2/tap100/dev' ? new TextEncoder().encode('239:1\n') : fake.nodes.has(file) ? new Uint8Array(0) : -2)
    fake.onCall('umount2', (directory: string) => { fake.nodes.delete(`${directory}/tap`); return 0 })
    const pod = open(model)
    for (const nic of pod.connect()) nic.tap.close()
    expect(recorded.at(-1)).toMatchObject({ kind: 'macvtap', index: 2, name: 'kata-m2' })
    expect(fake.callsOf('mknodat')[0]?.slice(1)).toEqual(['/run/kata-ts/s1/macvtap/tap', 0o020600, 239, 1])
    pod.close()
    expect(sent(RTM.DELLINK)).toHaveLength(1)
    expect([...fake.fds.values()].map(file => file.what)).toEqual([])
  })

  it('says why where tc is asked for and not there', () => {
    network.link(2, 'eth0').refuses.set(RTM.NEWQDISC, 95)
    expect(() => open('tc').connect()).toThrow('interface eth0')
    expect(sent(RTM.NEWLINK).length).toBe(1)
  })

  it('has its end also when CNI has removed the interface before', () => {
    network.link(2, 'eth0')
    const pod = open()
    for (const nic of pod.connect()) nic.tap.close()
    network.refuses.set(RTM.DELQDISC, 19)
    expect(() => pod.close()).not.toThrow()
  })

  it('ends the shim when it cannot come home: it would take the pod\'s namespace for the host\'s', () => {
    isDeadAtHome = true
    fake.onCall('exit', () => { throw new Error('ended') })
    expect(() => open().connect()).toThrow('ended')
  })

  it('left by a killed shim is removed, once, and only in the same namespace', () => {
    const { inode } = Netns.open(path)
    removeLeft({ kind: 'redirect', path, inode, index: 2, name: 'eth0' })
    expect(sent(RTM.DELQDISC)).toHaveLength(1)
    removeLeft({ kind: 'redirect', path, inode: inode + 1, index: 2, name: 'eth0' })
    removeLeft({ kind: 'redirect', path: '/run/netns/gone', inode, index: 2, name: 'eth0' })
    expect(sent(RTM.DELQDISC)).toHaveLength(1)
  })
})

describe('a network namespace', () => {
  it('that is the host\'s is refused', () => {
    expect(() => Netns.open('/proc/1/ns/net')).toThrow('is the host\'s network namespace')
  })

  it.each([
    ['a file of another file system', () => fake.onCall('statfs', () => ({ type: 1, blockSize: 0, blocks: 0, blocksFree: 0, blocksAvailable: 0, files: 0, filesFree: 0, flags: 0 }))],
    ['a namespace of another type', () => fake.onCall('ioctl', () => 0x20000)],
  ])('%s is refused', (_what, arrange) => {
    arrange()
    expect(() => Netns.open(path)).toThrow(`${path} is no network namespace`)
    expect([...fake.fds.values()]).toEqual([])
  })

  it('that does not exist is told so', () => {
    expect(() => Netns.open('/run/netns/none')).toThrow('the network namespace /run/netns/none cannot be opened')
  })
})
