import { beforeEach, describe, expect, it } from 'vitest'
import { EPOLLIN } from '../../native/ts/constants/epoll.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { Fd } from '../../native/ts/fd.ts'
import type { Nic } from '../hypervisor/hypervisor.ts'
import { silentLog } from '../log.ts'
import { LateInterfaces } from './late.ts'
import type { NetworkChange } from './network.ts'
import { NetworkWatch } from './watch.ts'

let told: string[]
let changes: NetworkChange[]
let messages: number
let refuses: boolean

beforeEach(() => {
  fake.reset()
  told = []
  changes = []
  messages = 0
  refuses = false
  fake.onCall('socket', () => fake.install({ what: 'notifications', position: 0 }))
  fake.onCall('bindNetlink', () => 0)
  fake.onCall('recv', () => (messages-- > 0 ? 16 : -11))
})

const nic = (id: string): Nic => ({ kind: 'nic', id, mac: '02:00:00:00:00:01', mtu: 1500, tap: new Fd(fake.install({ what: 'tap', position: 0 }), 'tap') })
const taps = () => [...fake.fds.values()].filter(file => file.what === 'tap').length
const turn = () => new Promise(resolve => setImmediate(resolve))

function follow(): LateInterfaces {
  return new LateInterfaces({
    interfaces: [],
    scan: () => {
      told.push('scan')
      return changes.shift() ?? { added: [], removed: [], isChanged: false }
    },
    drop: id => void told.push(`drop ${id}`),
  }, new NetworkWatch(), {
    attach: async ({ id }) => {
      told.push(`attach ${id}`)
      if (refuses) throw new Error('no slot')
      return { pciPath: '10.0/00.0', detach: async () => void told.push(`detach ${id}`) }
    },
    update: async () => void told.push('update'),
  }, silentLog)
}

describe('interfaces that come later', () => {
  it('are plugged in before the guest is told of them, and taken out when they are gone', async () => {
    const late = follow()
    changes = [{ added: [nic('net0')], removed: [], isChanged: true }, { added: [], removed: ['net0', 'net7'], isChanged: false }]
    await late.refresh()
    messages = 1
    await late.refresh()
    expect(told).toEqual(['scan', 'attach net0', 'update', 'scan', 'detach net0'])
    expect(taps()).toBe(0)
  })

  it('are looked for only when something changed', async () => {
    const late = follow()
    await late.refresh()
    await late.refresh()
    messages = 3
    await late.refresh()
    expect(told).toEqual(['scan', 'scan'])
  })

  it('are noticed once they have settled, without being asked for', async () => {
    let settle: () => void = () => {}
    fake.onCall('setTimer', (_delayMs: number, callback: () => void) => { settle = callback; return 1 })
    follow()
    const [watched] = [...fake.fds].find(([, file]) => file.what === 'notifications') ?? [-1]
    messages = 1
    fake.ready(watched, EPOLLIN)
    messages = 1
    fake.ready(watched, EPOLLIN)
    expect(told).toEqual([])
    settle()
    await turn()
    expect(told).toEqual(['scan'])
  })

  it('that the VM has no room for are told, with the others in place, and their redirect goes', async () => {
    refuses = true
    const late = follow()
    changes = [{ added: [nic('net0'), nic('net1')], removed: [], isChanged: true }]
    await expect(late.refresh()).rejects.toThrow('no slot')
    expect(told).toEqual(['scan', 'attach net0', 'drop net0', 'attach net1', 'drop net1', 'update'])
    expect(taps()).toBe(0)
  })

  it('are looked for again after a failure', async () => {
    const late = follow()
    refuses = true
    changes = [{ added: [nic('net0')], removed: [], isChanged: true }]
    await late.refresh().catch(() => {})
    messages = 1
    await late.refresh()
    expect(told.filter(line => line === 'scan')).toHaveLength(2)
  })
})
