import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import type { NetworkInterface } from '../../protocol/gen/agent.ts'
import { parseIp, parseMac } from '../../protocol/netlink/ip.ts'
import { RTM } from '../../protocol/netlink/message.ts'
import { parseRoute } from '../../protocol/netlink/route.ts'
import { parseLink } from '../../protocol/netlink/link.ts'
import { NetworkDouble } from '../../protocol/netlink/testing/network.ts'
import { setUpNetwork } from './network.ts'

const nothing = new Uint8Array(0)
const route = (destination: string, prefixLength: number, gateway?: string) => ({
  destination: parseIp(destination), prefixLength, gateway: gateway === undefined ? nothing : parseIp(gateway), source: nothing,
  priority: 0, scope: 0, onLink: false, table: 254, mtu: 0, advmss: 0,
})
const settings = (mac: string, name: string, more: Partial<NetworkInterface> = {}): NetworkInterface =>
  ({ mac: parseMac(mac), name, mtu: 1500, ipv6Disabled: false, addresses: [], routes: [], neighbours: [], ...more })

let network: NetworkDouble
const sent = (type: number) => network.seen.filter(seen => seen.type === type).map(seen => seen.body)

beforeEach(() => {
  fake.reset()
  network = new NetworkDouble().link(1, 'lo', { mac: '00:00:00:00:00:00', type: 772 }).link(2, 'eth0').link(3, 'eth1')
  for (const name of ['eth0', 'eth1']) {
    for (const file of ['accept_dad', 'disable_ipv6']) fake.put(`/proc/sys/net/ipv6/conf/${name}/${file}`, 'x')
  }
  fake.onCall('send', (_fd: number, message: Uint8Array) => { network.send(message); return message.length })
  fake.onCall('recv', (_fd: number, buffer: Uint8Array) => { const got = network.receive(); buffer.set(got); return got.length })
})

describe('the network of the guest', () => {
  it('takes each device by its address, whatever name the kernel gave it', async () => {
    await setUpNetwork([settings('02:00:00:00:00:03', 'net1', { mtu: 9000 }), settings('02:00:00:00:00:02', 'eth0')])
    expect(sent(RTM.NEWLINK).map(body => parseLink(body))).toMatchObject([
      { index: 3, name: 'net1', mtu: 9000, isUp: true }, { index: 2, name: '', mtu: undefined, isUp: true }])
  })

  it('exchanges names by way of a third', async () => {
    await setUpNetwork([settings('02:00:00:00:00:02', 'eth1'), settings('02:00:00:00:00:03', 'eth0')])
    const names = sent(RTM.NEWLINK).map(body => [parseLink(body).index, parseLink(body).name])
    expect(names).toEqual([[2, 'kata-move0'], [3, 'kata-move1'], [2, 'eth1'], [3, 'eth0']])
  })

  it('sets the ways on the link before those through a gateway, of all interfaces', async () => {
    await setUpNetwork([
      settings('02:00:00:00:00:02', 'eth0', { routes: [route('0.0.0.0', 0, '169.254.1.1')] }),
      settings('02:00:00:00:00:03', 'eth1', { routes: [route('169.254.1.1', 32)] }),
    ])
    expect(sent(RTM.NEWROUTE).map(body => parseRoute(body).gateway)).toEqual([undefined, parseIp('169.254.1.1')])
  })

  it('waits for no duplicate of an address, and leaves IPv6 off where the host has it off', async () => {
    await setUpNetwork([settings('02:00:00:00:00:02', 'eth0', { ipv6Disabled: true }), settings('02:00:00:00:00:03', 'eth1')])
    expect(['eth0', 'eth1'].map(name => ['accept_dad', 'disable_ipv6'].map(file => fake.text(`/proc/sys/net/ipv6/conf/${name}/${file}`))))
      .toEqual([['0', '1'], ['0', 'x']])
  })

  it.each<[string, NetworkInterface, RegExp]>([
    ['a device that is not there', settings('02:00:00:00:00:99', 'eth0'), /no network device with the address 02:00:00:00:00:99/],
    ['an address of five bytes', settings('02:00:00:00:00:02', 'eth0', { addresses: [{ address: new Uint8Array(5), prefixLength: 8, peer: nothing, scope: 0, noPrefixRoute: false }] }), /address of 5 bytes/],
    ['a MAC address of two bytes', { ...settings('02:00:00:00:00:02', 'eth0'), mac: new Uint8Array(2) }, /MAC address of 2 bytes/],
  ])('refuses %s', async (_what, given, message) => {
    fake.onCall('setTimer', (_delayMs: number, callback: () => void) => { void Promise.resolve().then(callback); return 1 })
    await expect(setUpNetwork([given])).rejects.toThrow(message)
  })

  it('waits for a device that was just plugged in', async () => {
    let turns = 0
    fake.onCall('setTimer', (_delayMs: number, callback: () => void) => {
      if (++turns === 3) network.link(4, 'eth2')
      void Promise.resolve().then(callback)
      return 1
    })
    await setUpNetwork([settings('02:00:00:00:00:04', 'net1')])
    expect(sent(RTM.NEWLINK).map(body => parseLink(body))).toMatchObject([{ index: 4, name: 'net1' }])
  })

  it('says what was refused', async () => {
    network.refuses.set(RTM.NEWROUTE, 101)
    await expect(setUpNetwork([settings('02:00:00:00:00:02', 'eth0', { routes: [route('0.0.0.0', 0, '10.0.0.1')] })]))
      .rejects.toThrow('rtnetlink: route 0.0.0.0/0 via 10.0.0.1 of eth0: ENETUNREACH')
  })
})
