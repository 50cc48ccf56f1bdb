import { beforeEach, describe, expect, it } from 'vitest'
import { E } from '../../native/ts/errno.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { CreateSandboxRequest } from '../../protocol/gen/agent.ts'
import { message } from '../../protocol/message.ts'
import { prepareGuest } from './machine.ts'
import { sysctlPath } from './sysctl.ts'

const nowNs = 1_750_000_000_000_000_000n
const request = (fields: Partial<CreateSandboxRequest>) => message(CreateSandboxRequest, fields)

describe('preparing the guest', () => {
  beforeEach(() => {
    fake.reset()
    fake.makeParents('/run/kata-ts/share/x')
  })

  it('sets clock, randomness, name, resolver, sysctls and share, in this order', () => {
    fake.put('/proc/sys/net/ipv4/ip_unprivileged_port_start', '')
    prepareGuest(request({
      realtimeNs: nowNs, entropy: new Uint8Array(64), hostname: 'web', dns: ['nameserver 10.0.0.1', 'search a.b'],
      sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' }, shareTag: 'kata-ts',
    }))
    expect(fake.callsOf('clockSettime')).toEqual([[0, nowNs]])
    expect(fake.callsOf('sethostname')).toEqual([['web']])
    expect(fake.text('/run/kata-ts/resolv.conf')).toBe('nameserver 10.0.0.1\nsearch a.b\n')
    expect(fake.text('/proc/sys/net/ipv4/ip_unprivileged_port_start')).toBe('0')
    expect(fake.mounts).toMatchObject([{ source: 'kata-ts', target: '/run/kata-ts/share', fstype: 'virtiofs' }])
    const order = ['clockSettime', 'addEntropy', 'sethostname', 'writeFile', 'writeFile', 'mount']
    expect(fake.names().filter(name => order.includes(name))).toEqual(order)
  })

  it('names a sandbox without hostname by its id', () => {
    prepareGuest(request({ sandboxId: 'f'.repeat(64) }))
    expect(fake.callsOf('sethostname')).toEqual([['f'.repeat(63)]])
  })

  it('does nothing that was not asked for', () => {
    prepareGuest(request({}))
    expect(fake.names()).toEqual([])
  })

  it.each([
    ['a clock from before 2020', { realtimeNs: 1n }, 'realtime_ns 1 is no time of today'],
    ['a clock beyond the kernel’s', { realtimeNs: 2n ** 63n }, 'is no time of today'],
    ['too little entropy', { entropy: new Uint8Array(31) }, 'entropy has 31 bytes'],
    ['a resolver line of two lines', { dns: ['a\nb'] }, 'is not one line of resolv.conf'],
    ['a tag that is no word', { shareTag: 'a b' }, 'is no tag of a virtio-fs share'],
    ['a sysctl outside /proc/sys', { sysctls: { '../../etc/passwd': '' } }, 'is no name of a sysctl'],
  ])('refuses %s', (_what, fields, message) => {
    expect(() => prepareGuest(request(fields))).toThrow(expect.objectContaining({ message: expect.stringContaining(message) }))
  })

  it('names the device that is missing', () => {
    fake.fail('mount', E.EINVAL)
    expect(() => prepareGuest(request({ shareTag: 'kata-ts' }))).toThrow('mount virtiofs kata-ts on /run/kata-ts/share: EINVAL')
  })
})

describe('names of sysctls', () => {
  it.each([
    ['kernel.shmmax', '/proc/sys/kernel/shmmax'],
    ['net/ipv4/conf/eth0.1/forwarding', '/proc/sys/net/ipv4/conf/eth0.1/forwarding'],
    ['net.ipv4.conf.eth0/1.forwarding', '/proc/sys/net/ipv4/conf/eth0.1/forwarding'],
  ])('%s is %s', (name, path) => {
    expect(sysctlPath(name)).toBe(path)
  })

  it.each(['', '/kernel', 'kernel.', 'a..b', 'a//b', 'a b', 'a\n'])('%j is none', name => {
    expect(() => sysctlPath(name)).toThrow('is no name of a sysctl')
  })
})
