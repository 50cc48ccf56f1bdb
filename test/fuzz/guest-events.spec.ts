/** What a taken-over agent tells unasked: nothing of it throws, reaches another's process, or floods the host. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Event } from '../../protocol/gen/agent.ts'
import { decode } from '../../protocol/message.ts'
import { RpcError } from '../../protocol/ttrpc/status.ts'
import { silentLog } from '../../shim/log.ts'
import { GuestEvents } from '../../shim/sandbox/guest-events.ts'
import type { Sandbox } from '../../shim/sandbox/sandbox.ts'
import { anyBytes, mutated, throwsOnly } from './arbitraries.ts'
import { bytesOf, corpus } from './corpus.ts'
import { settings } from './settings.ts'

/** A sandbox with container c1, its exec e1, a pause container, and stream 7; it notes what it is made to do. */
class Told {
  readonly exits: { who: string; status: number; atNs: bigint }[] = []
  readonly published: string[] = []
  readonly totals: bigint[] = []
  loggedCharacters = 0
  lines = 0
  readonly #events: GuestEvents

  constructor() {
    const note = (message: string, fields: object = {}): void => {
      this.lines++
      this.loggedCharacters += message.length + JSON.stringify(fields).length
    }
    const process = (who: string): object => ({ stopped: ({ status, atNs }: { status: number; atNs: bigint }) => this.exits.push({ who, status, atNs }) })
    this.#events = new GuestEvents({
      containers: new Map([
        ['c1', { init: process('c1'), execs: new Map([['e1', { process: process('c1/e1') }]]) }], ['pause', { init: process('pause'), isPause: true, execs: new Map() }],
      ]),
      output: (id: bigint) => id === 7n ? { setTotal: (bytes: bigint) => this.totals.push(bytes) } : undefined,
      ports: { events: { publish: (topic: string, fields: { containerId: string }) => this.published.push(`${topic} ${fields.containerId}`) }, log: { ...silentLog, error: note, warn: note, info: note, debug: note } },
    } as unknown as Sandbox) // what GuestEvents uses of it
  }

  receive(event: Event): void { this.#events.receive(event) }

  judge(): void {
    for (const { who, status, atNs } of this.exits) {
      expect(['c1', 'c1/e1']).toContain(who)
      expect(status >= 0 && status <= 255).toBe(true)
      // Near the host's clock, whatever the guest's says.
      expect(Math.abs(Number(atNs / 1_000_000n) - Date.now())).toBeLessThan(3_700_000)
    }
    expect(this.published.every(event => event === 'oom c1')).toBe(true)
    expect(this.published.length).toBeLessThan(60)
    expect(this.lines).toBeLessThan(2_000)
    expect(this.loggedCharacters).toBeLessThan(2 << 20)
  }
}

const id = fc.oneof(fc.constantFrom('c1', 'e1', 'pause', '', '../c1', 'c1\0', '__proto__', 'constructor', 'x'.repeat(10_000)), fc.string())
const number = fc.oneof(fc.constantFrom(0n, 7n, 2n ** 63n, 2n ** 64n - 1n), fc.bigInt(0n, 2n ** 64n - 1n))
const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('a\nb', '\u001b[2J', '\u202e', 'x'.repeat(20_000)))
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.constant({ event: undefined }),
  fc.record({ containerId: id, execId: id, pid: fc.nat(), exitStatus: fc.oneof(fc.nat(300), fc.nat(2 ** 32 - 1)), exitedAtNs: number }).map(value => ({ event: { $case: 'exit' as const, value } })),
  fc.record({ streamId: number, bytes: number }).map(value => ({ event: { $case: 'streamEnd' as const, value } })),
  fc.record({ containerId: id }).map(value => ({ event: { $case: 'oom' as const, value } })),
  fc.record({ level: fc.oneof(fc.constantFrom('info', 'error', 'toString'), text), message: text, fields: text }).map(value => ({ event: { $case: 'log' as const, value } })),
)

describe('events of the guest', () => {
  it('have no effect but on what is the guest\'s own, and are bounded', () => {
    fc.assert(fc.property(fc.array(event, { maxLength: 60 }), events => {
      const told = new Told()
      for (const one of events) told.receive(one)
      told.judge()
    }), settings)
  })

  it('of bytes that were spoilt are refused, or are events', () => {
    const right = event.map(one => Event.encode(one).finish())
    fc.assert(fc.property(fc.oneof(anyBytes, right.chain(bytes => mutated([bytes]))), bytes => {
      const one = throwsOnly(RpcError, () => decode(Event, bytes))
      const told = new Told()
      if (one !== undefined) told.receive(one)
      told.judge()
    }), settings)
  })

  it('may come a hundred thousand at a time', () => {
    for (const flood of [
      { $case: 'log' as const, value: { level: 'error', message: 'm'.repeat(500), fields: '' } }, { $case: 'oom' as const, value: { containerId: 'c1' } },
      { $case: 'oom' as const, value: { containerId: 'nobody' } }, { $case: 'exit' as const, value: { containerId: 'nobody', execId: '', pid: 1, exitStatus: 0, exitedAtNs: 0n } },
    ]) {
      const told = new Told()
      for (let sent = 0; sent < 100_000; sent++) told.receive({ event: flood })
      told.judge()
    }
  })

  it.each(corpus('guest-events'))('are judged: $why', kept => {
    const one = throwsOnly(RpcError, () => decode(Event, bytesOf(kept)))
    const told = new Told()
    if (one !== undefined) told.receive(one)
    told.judge()
  })
})
