import { describe, expect, it } from 'vitest'
import { addressDump } from './address.ts'
import { parsePrefix } from './ip.ts'
import { linkDump, linkSetUp } from './link.ts'
import { RTM } from './message.ts'
import { NetlinkRefusal, NetlinkSession } from './session.ts'
import { NetworkDouble } from './testing/network.ts'

const up = { what: 'lo up', message: (sequence: number) => linkSetUp(1, sequence) }

describe('a netlink session', () => {
  it('gives the items of a dump, and nothing of another one', () => {
    const session = new NetlinkSession(new NetworkDouble().link(1, 'lo').link(2, 'eth0').address(2, '10.0.0.2/24'), String)
    expect(session.ask('links', linkDump).map(answer => answer.kind)).toEqual(['link', 'link'])
    expect(session.ask('addresses', addressDump)).toMatchObject([{ kind: 'address', address: { index: 2, prefix: parsePrefix('10.0.0.2/24') } }])
  })

  it('makes no further change after one that was refused, and says which it was', () => {
    const network = new NetworkDouble()
    network.refuses.set(RTM.NEWLINK, 19)
    const session = new NetlinkSession(network, errno => `E${errno}`)
    expect(() => session.change(up, up)).toThrow(new NetlinkRefusal('lo up', 19, 'E19', undefined))
    expect(network.seen).toHaveLength(1)
  })

  it('takes no answer to another request for its own', () => {
    const late = new NetworkDouble()
    late.send(linkSetUp(1, 77))
    const network = new NetworkDouble()
    const queue = [late.receive()]
    const session = new NetlinkSession({ send: message => network.send(message), receive: () => queue.shift() ?? network.receive() }, String)
    expect(session.ask('links', linkDump)).toEqual([])
  })
})
