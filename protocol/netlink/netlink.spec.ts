import { describe, expect, it } from 'vitest'
import answers from '../vectors/netlink.json' with { type: 'json' }
import { addressAdd } from './address.ts'
import { parseAnswers } from './answer.ts'
import { NetlinkError } from './attribute.ts'
import { formatIp, formatMac, parseIp, parseMac, parsePrefix } from './ip.ts'
import { linkDump, linkGet, linkSet, linkSetUp, vethAdd } from './link.ts'
import { neighbourAdd } from './neighbour.ts'
import { routeAdd } from './route.ts'
import { ingressAdd, redirectAdd } from './traffic.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const captured = (name: string) => new Uint8Array(Buffer.from(answers.find(answer => answer.name === name)?.hex ?? '', 'hex'))

describe('the kernel\'s answers', () => {
  it('to a dump of links in a new network namespace: loopback, down', () => {
    const [link, ...rest] = parseAnswers(captured('dump of links'))
    expect(link).toMatchObject({ kind: 'link', isGone: false, link: { index: 1, name: 'lo', isUp: false, mtu: 65536, mac: '00:00:00:00:00:00', type: undefined } })
    expect(rest.at(-1)).toMatchObject({ kind: 'done' })
  })

  it('to a dump of nothing: only its end', () => {
    expect(parseAnswers(captured('dump of no addresses')).map(answer => answer.kind)).toEqual(['done'])
  })

  it.each([
    ['ack', '24000000020000010100000000000000' + '00000000' + '20000000100005000100000000000000', { kind: 'ack', sequence: 1 }],
    ['error', '24000000020000000700000000000000' + 'edffffff' + '20000000120005000700000000000000', { kind: 'error', sequence: 7, errno: 19, message: undefined }],
    ['error with the kernel\'s explanation', '30000000020000030200000000000000' + '9bffffff' + '20000000180005000200000000000000' + '0b0001006e6f20776179' + '0000',
      { kind: 'error', sequence: 2, errno: 101, message: 'no way' }],
    ['overrun', '10000000040000000000000000000000', { kind: 'overrun', sequence: 0 }],
  ])('%s', (_name, bytes, expected) => {
    expect(parseAnswers(new Uint8Array(Buffer.from(bytes, 'hex')))).toEqual([expected])
  })

  it('that do not keep to their lengths are refused wherever they are cut', () => {
    const whole = captured('dump of links')
    const length = new DataView(whole.buffer, whole.byteOffset).getUint32(0, true)
    for (let end = 1; end < length; end++) expect(() => parseAnswers(whole.subarray(0, end))).toThrow(NetlinkError)
  })
})

/** Each of these was accepted by a kernel (6.1) as it stands here. */
describe('requests', () => {
  it.each<[name: string, bytes: Uint8Array, expected: string]>([
    ['bring loopback up', linkSetUp(1, 2), '20000000100005000200000000000000' + '00000000010000000100000001000000'],
    ['get a link', linkGet('lo', 1), '28000000120005000100000000000000' + '00000000000000000000000000000000' + '070003006c6f0000'],
    ['dump links', linkDump(6), '20000000120005030600000000000000' + '00000000000000000000000000000000'],
    ['rename and set up', linkSet(2, { name: 'eth0', mtu: 1400, mac: parseMac('02:00:00:00:00:01'), up: true }, 7),
      '40000000100005000700000000000000' + '00000000020000000100000001000000' + '090003006574683000000000' + '0800040078050000' + '0a0001000200000000010000'],
    ['add a veth pair', vethAdd('a0', 'b0', 4),
      '58000000100005060400000000000000' + '00000000000000000000000000000000' + '0700030061300000' + '30001200' + '090001007665746800000000' +
      '20000200' + '1c000100' + '00000000000000000000000000000000' + '0700030062300000'],
    ['add an IPv4 address', addressAdd(2, parsePrefix('10.1.0.2/24'), 10),
      '30000000140005050a00000000000000' + '0218000002000000' + '080002000a010002' + '080001000a010002' + '080004000a0100ff'],
    ['add a default route', routeAdd({ destination: undefined, gateway: parseIp('10.1.0.1'), index: 2 }, 13),
      '2c000000180005050d00000000000000' + '02000000fe03000100000000' + '0800040002000000' + '080005000a010001'],
    ['add a neighbour', neighbourAdd(2, parseIp('10.1.0.1'), parseMac('02:00:00:00:00:09'), 19),
      '300000001c0005051300000000000000' + '020000000200000080000000' + '080001000a010001' + '0a0002000200000000090000'],
    ['add an ingress qdisc', ingressAdd(2, 21), '30000000240005061500000000000000' + '00000000020000000000fffff1ffffff00000000' + '0c000100696e677265737300'],
  ])('%s', (_name, bytes, expected) => {
    expect(hex(bytes)).toBe(expected)
  })

  it('redirect every packet to another interface', () => {
    const bytes = redirectAdd(2, 3, 22)
    expect(hex(bytes.subarray(16, 36))).toBe('0000000002000000' + '00000000' + '0000ffff' + '00030100')
    expect(hex(bytes).endsWith('04000000' + '0000000000000000' + '01000000' + '03000000')).toBe(true)
  })

  it.each(['', 'sixteen-letters!', 'a b', 'a/b'])('refuse %j as an interface\'s name', name => {
    expect(() => linkGet(name, 1)).toThrow(RangeError)
  })
})

describe('addresses as text', () => {
  it.each([
    ['0.0.0.0', '00000000'], ['255.1.2.3', 'ff010203'],
    ['::', '0'.repeat(32)], ['::1', '0'.repeat(31) + '1'], ['fd00::2', 'fd00' + '0'.repeat(27) + '2'], ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['fe80::1:0:0:1', 'fe80000000000000' + '0001000000000001'], ['1::', '0001' + '0'.repeat(28)], ['0:1::', '00000001' + '0'.repeat(24)],
  ])('%s', (text, bytes) => {
    expect(hex(parseIp(text))).toBe(bytes)
    expect(parseIp(formatIp(parseIp(text)))).toEqual(parseIp(text))
  })

  it('are written in the usual short form', () => {
    expect(['fd00:0:0:0:0:0:0:2', '1:0:0:2:0:0:0:3', '0:0:0:0:0:0:0:0', '10.0.0.1'].map(text => formatIp(parseIp(text)))).toEqual(['fd00::2', '1:0:0:2::3', '::', '10.0.0.1'])
    expect(formatMac(parseMac('02:00:00:00:00:0A'))).toBe('02:00:00:00:00:0a')
  })

  it('take an IPv4 address at the end of an IPv6 one', () => {
    expect(formatIp(parseIp('::ffff:10.0.0.1'))).toBe('::ffff:a00:1')
  })

  it.each(['', '1.2.3', '1.2.3.256', '1.2.3.04', '1.2.3.4.5', ':', ':::', '1::2::3', '12345::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', 'g::'])('refuse %j', text => {
    expect(() => parseIp(text)).toThrow(RangeError)
  })

  it.each(['10.0.0.1/33', '10.0.0.1/', '10.0.0.1/-1', '10.0.0.1/024', 'fd00::/129'])('refuse the prefix %j', text => {
    expect(() => parsePrefix(text)).toThrow(RangeError)
  })
})
