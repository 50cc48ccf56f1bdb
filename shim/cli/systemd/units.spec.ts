import { describe, expect, it } from 'vitest'
import { MessageType } from '../../../protocol/dbus/message.ts'
import type { Value } from '../../../protocol/dbus/value.ts'
import { BusFault, type Call } from './bus.ts'
import { type Conversation, Units } from './units.ts'

/** systemd's part: an answer or an error for each call, and what it then tells of the job. */
function systemd(answers: Record<string, (body: readonly Value[]) => readonly Value[] | Error>, early = false) {
  const calls: [string, readonly Value[]][] = []
  let close: (error: Error) => void = () => undefined
  const bus: Conversation = {
    call: async ({ member, body = [] }: Call) => {
      calls.push([member, body])
      const answer = answers[member]?.(body) ?? []
      if (answer instanceof Error) throw answer
      const [job, result] = answer
      const tell = () => bus.onSignal({ type: MessageType.signal, serial: 9, member: 'JobRemoved', body: [1, job ?? '', 'c1.scope', result ?? ''] })
      if (result !== undefined && early) tell()
      else if (result !== undefined) setTimeout(tell)
      return answer
    },
    close: () => undefined,
    onClose: closed => { close = closed },
    onSignal: () => undefined,
  }
  return { units: new Units(bus), calls, close: (error: Error) => close(error) }
}

const error = (name: string) => new BusFault(`org.freedesktop.systemd1.${name}`, `systemd: ${name}`)

describe('a scope of systemd’s', () => {
  it.each([false, true])('is started when its job is done; the news of that may come before the answer: %s', async early => {
    const { units, calls } = systemd({ StartTransientUnit: () => ['/job/1', 'done'] }, early)
    await units.startScope('c1.scope', [{ name: 'PIDs', signature: 'au', value: [5] }])
    expect(calls).toEqual([['StartTransientUnit', ['c1.scope', 'replace', [['PIDs', { signature: 'au', value: [5] }]], []]]])
  })

  it('of the name of one that failed takes its place; one that runs stays', async () => {
    let there = 1
    const { units, calls } = systemd({ StartTransientUnit: () => (there-- > 0 ? error('UnitExists') : ['/job/1', 'done']) })
    await units.startScope('c1.scope', [])
    expect(calls.map(([member]) => member)).toEqual(['StartTransientUnit', 'ResetFailedUnit', 'StartTransientUnit'])
    await expect(systemd({ StartTransientUnit: () => error('UnitExists') }).units.startScope('c1.scope', [])).rejects.toThrow(/UnitExists/)
  })

  it('that fails is an error that says how, and is forgotten', async () => {
    const { units, calls } = systemd({ StartTransientUnit: () => ['/job/1', 'failed'] })
    await expect(units.startScope('c1.scope', [])).rejects.toThrow(/systemd could not start c1.scope: its job ended with "failed"; see journalctl/)
    expect(calls.at(-1)).toEqual(['ResetFailedUnit', ['c1.scope']])
  })

  it('is not waited for when the connection ends', async () => {
    const { units, close } = systemd({ StartTransientUnit: () => ['/job/1'] })
    const started = units.startScope('c1.scope', [])
    setTimeout(() => close(new Error('gone')))
    await expect(started).rejects.toThrow('gone')
  })

  it('that is gone already is stopped; an error of another kind is told', async () => {
    await systemd({ StopUnit: () => error('NoSuchUnit'), ResetFailedUnit: () => error('NoSuchUnit') }).units.stop('c1.scope')
    await systemd({ StopUnit: () => ['/job/2', 'done'] }).units.stop('c1.scope')
    await expect(systemd({ StopUnit: () => error('TransactionIsDestructive') }).units.stop('c1.scope')).rejects.toThrow(/TransactionIsDestructive/)
  })

  it('is changed till the next boot, and systemd not asked for nothing', async () => {
    const { units, calls } = systemd({})
    await units.setProperties('c1.scope', [])
    await units.setProperties('c1.scope', [{ name: 'TasksMax', signature: 't', value: 5n }])
    expect(calls).toEqual([['SetUnitProperties', ['c1.scope', true, [['TasksMax', { signature: 't', value: 5n }]]]]])
  })

  it.each([['/', ''], ['', ''], ['/user.slice/user-1000.slice/user@1000.service', '/user.slice/user-1000.slice/user@1000.service']])('below the cgroup %j', async (held, path) => {
    expect(await systemd({ Get: () => [{ signature: 's', value: held }] }).units.controlGroup()).toBe(path)
  })
})
