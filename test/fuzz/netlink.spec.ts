/** The kernel's answers, spoilt: they are read, or refused with NetlinkError. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Answer, parseAnswers } from '../../protocol/netlink/answer.ts'
import { aligned, type Attribute, concat, NetlinkError, parseAttributes } from '../../protocol/netlink/attribute.ts'
import { formatIp, parseIp } from '../../protocol/netlink/ip.ts'
import captured from '../../protocol/vectors/netlink.json' with { type: 'json' }
import { anyBytes, mutated, throwsOnly } from './arbitraries.ts'
import { bytesOf, corpus } from './corpus.ts'
import { settings } from './settings.ts'

const fromHex = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))
const answers = captured.map(answer => fromHex(answer.hex))

/** What was read has no more in it than there was, and is the same when it is read again. */
function judge(bytes: Uint8Array): void {
  const read = throwsOnly(NetlinkError, () => parseAnswers(bytes))
  if (read === undefined) return
  expect(read.length * 16).toBeLessThanOrEqual(bytes.length)
  expect(parseAnswers(bytes)).toEqual(read)
  for (const answer of read) expect(Number.isSafeInteger(answer.sequence)).toBe(true)
}

describe('netlink answers', () => {
  it('are read, or refused with NetlinkError', () => {
    fc.assert(fc.property(fc.oneof(anyBytes, mutated(answers)), judge), settings)
  })

  it.each(corpus('netlink'))('are judged: $why', kept => judge(bytesOf(kept)))

  it('read the same behind each other as alone', () => {
    const message = fc.record({ type: fc.oneof(fc.constantFrom(2, 3, 16, 20, 24, 28), fc.nat(0xffff)), flags: fc.nat(0xffff), sequence: fc.nat(), body: fc.uint8Array({ maxLength: 60 }) }).map(({ type, flags, sequence, body }) => {
      const bytes = new Uint8Array(aligned(16 + body.length))
      const view = new DataView(bytes.buffer)
      view.setUint32(0, 16 + body.length, true)
      view.setUint16(4, type, true)
      view.setUint16(6, flags, true)
      view.setUint32(8, sequence, true)
      bytes.set(body, 16)
      return bytes
    })
    fc.assert(fc.property(fc.array(message, { maxLength: 5 }), messages => {
      const alone: (Answer[] | undefined)[] = messages.map(bytes => throwsOnly(NetlinkError, () => parseAnswers(bytes)))
      const together = throwsOnly(NetlinkError, () => parseAnswers(Buffer.concat(messages)))
      expect(together).toEqual(alone.includes(undefined) ? undefined : alone.flat())
    }), settings)
  })

  it('give back the attributes that were written', () => {
    const attribute: fc.Arbitrary<Attribute> = fc.record({ type: fc.nat(0x3fff), value: fc.uint8Array({ maxLength: 40 }) })
    fc.assert(fc.property(fc.array(attribute, { maxLength: 8 }), attributes => {
      const last = new Map(attributes.map(({ type, value }) => [type, [...value]]))
      const read = parseAttributes(concat(new Uint8Array(0), attributes))
      expect(new Map([...read].map(([type, value]) => [type, [...value]]))).toEqual(last)
    }), settings)
  })
})

describe('addresses', () => {
  it('are read, or refused with RangeError', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{0,30}$/)), text => { throwsOnly(RangeError, () => parseIp(text)) }), settings)
  })

  it('are the same after they were written as text', () => {
    fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), text => {
      const read = parseIp(text)
      expect(parseIp(formatIp(read))).toEqual(read)
    }), settings)
  })
})
