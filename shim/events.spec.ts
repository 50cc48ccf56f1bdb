import { describe, expect, it, vi } from 'vitest'
import type { Envelope } from '../protocol/gen/types.ts'
import { TaskStart } from '../protocol/gen/events.ts'
import { unpackAny } from '../protocol/any.ts'
import { EventPublisher, type Forward, Unreachable } from './events.ts'
import { type Log, silentLog } from './log.ts'

/** A containerd whose answers the test decides; `taken` are the containers it was told of. */
function containerd(answer: (nth: number) => Error | undefined = () => undefined): { forward: Forward; taken: string[]; envelopes: Envelope[] } {
  const taken: string[] = []
  const envelopes: Envelope[] = []
  let calls = 0
  return {
    taken,
    envelopes,
    forward: async envelope => {
      const error = answer(calls++)
      await Promise.resolve()
      if (error) throw error
      envelopes.push(envelope)
      if (envelope.event) taken.push(unpackAny(TaskStart, envelope.event).containerId)
    },
  }
}

function publish(publisher: EventPublisher, ...ids: string[]): void {
  for (const containerId of ids) publisher.publish('start', { containerId, pid: 1 })
}

describe('EventPublisher', () => {
  it('wraps an event the way containerd unpacks it', async () => {
    const { forward, envelopes } = containerd()
    const publisher = new EventPublisher('k8s.io', forward, silentLog)
    publish(publisher, 'a')
    await publisher.flush(1000)
    expect(envelopes[0]).toMatchObject({ namespace: 'k8s.io', topic: '/tasks/start', event: { typeUrl: 'containerd.events.TaskStart' } })
  })

  it('keeps the order when containerd is away for a while', async () => {
    vi.useFakeTimers()
    const { forward, taken } = containerd(nth => nth < 3 ? new Unreachable('restarting') : undefined)
    const publisher = new EventPublisher('n', forward, silentLog)
    publish(publisher, 'a', 'b')
    await vi.advanceTimersByTimeAsync(250)
    publish(publisher, 'c')
    await vi.advanceTimersByTimeAsync(5000)
    expect(taken).toEqual(['a', 'b', 'c'])
    vi.useRealTimers()
  })

  it('gives up an event that containerd refuses, and goes on with the next', async () => {
    vi.useFakeTimers()
    const errors: string[] = []
    const log: Log = { ...silentLog, error: msg => errors.push(msg) }
    const { forward, taken } = containerd(nth => nth < 5 ? new Error('invalid argument') : undefined)
    publish(new EventPublisher('n', forward, log), 'a', 'b')
    await vi.advanceTimersByTimeAsync(20_000)
    expect(taken).toEqual(['b'])
    expect(errors).toEqual(['event /tasks/start was not taken: invalid argument'])
    vi.useRealTimers()
  })

  it('keeps the latest when too many wait, and says how many were lost', async () => {
    vi.useFakeTimers()
    const errors: string[] = []
    let away = true
    const { forward, taken } = containerd(() => away ? new Unreachable('away') : undefined)
    const publisher = new EventPublisher('n', forward, { ...silentLog, error: msg => errors.push(msg) })
    publish(publisher, ...Array.from({ length: 2050 }, (_, at) => `c${at}`))
    away = false
    await vi.advanceTimersByTimeAsync(10_000)
    expect([taken.length, taken[0], taken.at(-1)]).toEqual([2048, 'c2', 'c2049'])
    expect(errors).toEqual(['2 events were lost while containerd did not answer'])
    vi.useRealTimers()
  })

  it('does not wait for a containerd that stays away when it is flushed', async () => {
    const publisher = new EventPublisher('n', containerd(() => new Unreachable('away')).forward, silentLog)
    publish(publisher, 'a')
    await publisher.flush(20)
  })
})
