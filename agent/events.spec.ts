import { describe, expect, it } from 'vitest'
import type { Event } from '../protocol/gen/agent.ts'
import { Events } from './events.ts'

const exit = (pid: number) => ({ containerId: 'c', execId: '', pid, exitStatus: 0, exitedAtNs: 1n })

async function take(events: AsyncIterable<Partial<Event>>, count: number): Promise<NonNullable<Event['event']>[]> {
  const taken: NonNullable<Event['event']>[] = []
  const iterator = events[Symbol.asyncIterator]()
  while (taken.length < count) {
    const item = await iterator.next()
    if (item.done) break
    if (item.value.event) taken.push(item.value.event)
  }
  return taken
}

describe('events', () => {
  it('come in the order in which they happened, those before the subscription first', async () => {
    const events = new Events()
    events.exit(exit(1))
    const stream = events.subscribe()
    events.streamEnd({ streamId: 5n, bytes: 10n })
    events.exit(exit(2))
    expect((await take(stream, 3)).map(event => event.$case)).toEqual(['exit', 'streamEnd', 'exit'])
  })

  it('have one subscriber at a time', () => {
    const events = new Events()
    const first = events.subscribe()
    expect(() => events.subscribe()).toThrow('events have a subscriber already')
    void first[Symbol.asyncIterator]().return?.()
    expect(() => events.subscribe()).not.toThrow()
  })

  it('take no log lines without a subscriber: those go to the console', () => {
    const events = new Events()
    expect(events.line({ level: 'info', message: 'early', fields: '' })).toBe(false)
    events.subscribe()
    expect(events.line({ level: 'info', message: 'later', fields: '' })).toBe(true)
  })

  it('lose log lines before anything else, and tell how many', async () => {
    const events = new Events()
    const stream = events.subscribe()
    for (let line = 0; line < 2000; line++) events.line({ level: 'info', message: `line ${line}`, fields: '' })
    events.exit(exit(9))
    const taken = await take(stream, 1025)
    expect(taken.filter(event => event.$case === 'log')).toHaveLength(1024)
    expect(taken.at(-1)).toMatchObject({ $case: 'exit', value: { pid: 9 } })
    events.line({ level: 'info', message: 'after', fields: '' })
    expect(await take(stream, 2)).toMatchObject([{ value: { message: '976 log lines were dropped' } }, { value: { message: 'after' } }])
  })
})
