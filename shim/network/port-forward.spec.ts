import { beforeEach, describe, expect, it } from 'vitest'
import { EPOLLIN } from '../../native/ts/constants/epoll.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { silentLog } from '../log.ts'
import { Netns } from './netns.ts'
import { PortForward } from './port-forward.ts'

type Done = (end: { reason: string; errno: number; bytes: number; discardedBytes: number }) => void

const path = '/run/netns/pod'
const CLONE_NEWNET = 0x40000000
const [SYS_bpf, SYS_getsockname, SYS_setsockopt, SYS_mmap] = [321, 51, 54, 9]

let waiting: number
let port: number
let listeners: number[]
let calls: string[]
let refusal: Error | undefined

beforeEach(() => {
  fake.reset()
  waiting = 0
  port = 80
  listeners = []
  calls = []
  refusal = undefined
  for (const file of ['/proc/thread-self/ns/net', '/proc/1/ns/net', path]) fake.put(file, '')
  fake.onCall('statfs', () => ({ type: 0x6e736673, blockSize: 0, blocks: 0, blocksFree: 0, blocksAvailable: 0, files: 0, filesFree: 0, flags: 0 }))
  fake.onCall('ioctl', () => CLONE_NEWNET)
  fake.onCall('setns', () => 0)
  fake.onCall('socket', () => {
    listeners.push(fake.install({ what: 'listener', position: 0 }))
    return listeners.at(-1)
  })
  for (const call of ['bindInet', 'listen']) fake.onCall(call, () => 0)
  fake.onCall('accept4', () => (waiting-- > 0 ? fake.install({ what: 'client', position: 0 }) : -11))
  fake.onCall('syscall', (number: number, ...rest: unknown[]) => {
    if (number === SYS_mmap) return 4096
    if (number === SYS_bpf) return [0, 5, 28].includes(Number(rest[0])) ? fake.install({ what: 'bpf', position: 0 }) : 0
    if (number === SYS_getsockname) new DataView((rest[1] as Uint8Array).buffer).setUint16(2, port)
    if (number === SYS_setsockopt) calls.push('reset')
    return 0
  })
})

function open(): { forward: PortForward; streams: number[] } {
  const streams: number[] = []
  let last = 0n
  const forward = new PortForward(Netns.open(path), {
    agent: {
      connectPort: async ({ streamId, port: wanted }) => {
        calls.push(`connect ${streamId} ${wanted}`)
        if (refusal) throw refusal
      },
      closePortInput: async ({ streamId, bytes }) => { calls.push(`end of input ${streamId} ${bytes}`) },
    },
    dial: async () => {
      const { Fd } = await import('../../native/ts/fd.ts')
      streams.push(fake.install({ what: 'stream', reads: fake.channel(), writes: fake.channel(), position: 0 }))
      return new Fd(streams.at(-1) ?? -1, 'stream')
    },
    nextStreamId: () => ++last,
    log: silentLog,
  })
  return { forward, streams }
}

async function client(count = 1): Promise<void> {
  waiting = count
  fake.ready(listeners[0] ?? -1, EPOLLIN)
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** Ends the pump that was started as number `at`, as the native side would. */
async function endPump(at: number, reason: string, bytes = 0): Promise<void> {
  const done = fake.callsOf('pumpStart')[at]?.[1] as Done
  done({ reason, errno: 0, bytes, discardedBytes: 0 })
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
}

const held = (what: string) => [...fake.fds.values()].filter(file => file.what === what).length
const [toClient, fromClient] = [0, 1]

describe('forwarding of ports', () => {
  it('connects the guest\'s port that the client asked for, whichever listener took it', async () => {
    open()
    port = 5432
    await client()
    expect(calls).toEqual(['connect 1 5432'])
    expect(fake.callsOf('pumpStart')).toHaveLength(2)
  })

  it('ends each direction by itself, with its count', async () => {
    const { forward } = open()
    await client()
    await endPump(fromClient, 'eof', 12)
    expect(calls).toEqual(['connect 1 80', 'end of input 1 12'])
    expect(held('client')).toBe(1)
    forward.stream(1n)?.setTotal(7n)
    expect(fake.callsOf('pumpSetTotal')).toHaveLength(1)
    await endPump(toClient, 'total', 7)
    expect(fake.callsOf('shutdown')).toHaveLength(1)
    expect([held('client'), held('stream'), forward.stream(1n), calls.includes('reset')]).toEqual([0, 0, undefined, false])
  })

  it.each([['the guest is lost', toClient, 'eof'], ['the client is gone', toClient, 'sink'], ['the client was reset', fromClient, 'source']])('resets both when %s', async (_what, pump, reason) => {
    const { forward } = open()
    await client()
    await endPump(pump, reason)
    expect([held('client'), held('stream'), forward.stream(1n), calls.includes('reset')]).toEqual([0, 0, undefined, true])
  })

  it('resets a client whose port nobody listens on', async () => {
    open()
    refusal = new Error('connection refused')
    await client()
    expect([calls, held('client'), held('stream')]).toEqual([['connect 1 80', 'reset'], 0, 0])
  })

  it('has a limit, and room again when one has ended', async () => {
    open()
    for (let batch = 0; batch < 17; batch++) await client(16)
    expect(calls.filter(call => call === 'reset')).toHaveLength(16)
    expect(held('client')).toBe(256)
    await endPump(toClient, 'sink')
    await client()
    expect(held('client')).toBe(256)
  })

  it('leaves nothing at its end', async () => {
    const { forward } = open()
    await client()
    forward[Symbol.dispose]()
    forward[Symbol.dispose]()
    expect(['client', 'stream', 'listener', 'bpf'].map(held)).toEqual([0, 0, 0, 0])
  })

  it('leaves nothing where the kernel has no such programs', () => {
    fake.onCall('syscall', (number: number, command: number) => (number === SYS_mmap ? 4096 : number === SYS_bpf && command === 5 ? -22 : number === SYS_bpf && command === 0 ? fake.install({ what: 'bpf', position: 0 }) : 0))
    expect(() => open()).toThrow(/BPF_PROG_LOAD/)
    expect(['listener', 'bpf'].map(held)).toEqual([0, 0])
  })
})
