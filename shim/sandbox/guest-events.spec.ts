import { describe, expect, it } from 'vitest'
import type { Event } from '../../protocol/gen/agent.ts'
import { silentLog } from '../log.ts'
import { GuestEvents } from './guest-events.ts'
import type { Sandbox } from './sandbox.ts'

/** A guest whose sandbox has the container c1 and notes what it is made to do. */
function guest(): { tell: (event: NonNullable<Event['event']>) => void; exits: unknown[]; published: unknown[]; logged: string[] } {
  const exits: { status: number; atNs: bigint }[] = []
  const published: unknown[] = []
  const logged: string[] = []
  const note = (msg: string): void => void logged.push(msg)
  const init = { stopped: (exit: { status: number; atNs: bigint }) => exits.push(exit) }
  const sandbox = {
    containers: new Map([['c1', { init, execs: new Map() }], ['pause', { init, isPause: true, execs: new Map() }]]),
    output: () => undefined,
    ports: { events: { publish: (...event: unknown[]) => published.push(event) }, log: { ...silentLog, error: note, warn: note, info: note, debug: note } },
  } as unknown as Sandbox // what GuestEvents uses of it
  const events = new GuestEvents(sandbox)
  return { tell: event => events.receive({ event }), exits, published, logged }
}

const exit = { containerId: 'c1', execId: '', pid: 2, exitStatus: 1 }

describe('GuestEvents', () => {
  it("keeps the guest's exit time when it is plausible, and takes the host's when it is not", () => {
    const { tell, exits } = guest()
    const nowNs = BigInt(Date.now()) * 1_000_000n
    tell({ $case: 'exit', value: { ...exit, exitedAtNs: nowNs - 5n } })
    tell({ $case: 'exit', value: { ...exit, exitedAtNs: 12n } })
    tell({ $case: 'exit', value: { ...exit, exitedAtNs: 2n ** 63n } })
    const times = exits.map(seen => (seen as { atNs: bigint }).atNs)
    expect(times[0]).toBe(nowNs - 5n)
    for (const time of times.slice(1)) expect(time >= nowNs - 1_000_000_000n && time < nowNs + 60_000_000_000n).toBe(true)
  })

  it('does not let a flood of log lines through: 256 KiB at once', () => {
    const { tell, logged } = guest()
    for (let at = 0; at < 5000; at++) tell({ $case: 'log', value: { level: 'error', message: 'x'.repeat(10_000), fields: '' } })
    expect(logged.length).toBeLessThanOrEqual(64)
    expect(logged.length).toBeGreaterThan(50)
  })

  it('does not believe the guest what happens to the pause container, which the shim plays', () => {
    const { tell, exits, published } = guest()
    tell({ $case: 'exit', value: { ...exit, containerId: 'pause', exitedAtNs: 0n } })
    tell({ $case: 'oom', value: { containerId: 'pause' } })
    expect([exits, published]).toEqual([[], []])
  })

  it('cuts a long line and takes an unknown level for info', () => {
    const { tell, logged } = guest()
    tell({ $case: 'log', value: { level: 'fatal!', message: 'x'.repeat(100_000), fields: '' } })
    expect(logged[0]).toHaveLength(4096)
  })

  it('does not pass a flood of OOM events on to containerd', () => {
    const { tell, published } = guest()
    for (let at = 0; at < 1000; at++) tell({ $case: 'oom', value: { containerId: 'c1' } })
    expect(published.length).toBeLessThanOrEqual(20)
  })

  it('complains of nonsense a limited number of times', () => {
    const { tell, logged } = guest()
    for (let at = 0; at < 1000; at++) tell({ $case: 'streamEnd', value: { streamId: 9n, bytes: 1n } })
    expect(logged).toHaveLength(20)
  })
})
