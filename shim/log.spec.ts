import { beforeEach, describe, expect, it } from 'vitest'
import { E } from '../native/ts/errno.ts'
import { fake } from '../native/ts/fake/sys.ts'
import { open } from '../native/ts/fd.ts'
import { createLog, openLogSink } from './log.ts'

const lines = () => (fake.text('/log') ?? '').split('\n').filter(line => line !== '')
const records = () => lines().map(line => JSON.parse(line) as Record<string, unknown>)

describe('log', () => {
  let fd: number
  beforeEach(() => {
    fake.reset()
    fake.put('/log', '')
    fd = open('/log', 1).number
  })

  it('writes one JSON object a line with level, time, message and fields', () => {
    const log = createLog({ fd, fields: { namespace: 'k8s.io', sandbox: 's1' } })
    log.info('task created', { container: 'c1', bytes: 5n })
    expect(records()).toEqual([{ level: 'info', time: expect.stringMatching(/^\d{4}-.*Z$/), msg: 'task created', namespace: 'k8s.io', sandbox: 's1', container: 'c1', bytes: '5' }])
  })

  it('leaves out what is below its level, in children too', () => {
    const log = createLog({ fd, level: 'warn' })
    log.info('no')
    log.child({ container: 'c1' }).debug('no')
    log.child({ container: 'c1' }).error('yes')
    expect(records()).toMatchObject([{ msg: 'yes', container: 'c1' }])
    expect([log.enabled('error'), log.enabled('info')]).toEqual([true, false])
  })

  it.each([
    ['a forged line', 'x\n{"level":"error","msg":"forged"}'],
    ['a terminal escape', '\u001b[2J\u009b31m\u007f'],
    ['a bidirectional override', 'a\u202eb\u2066c\u2028d'],
    ['half a surrogate pair', 'a\ud800b'],
  ])('keeps %s inside one line of printable text', (_what, text) => {
    createLog({ fd }).info(text)
    const [line = '', ...more] = lines()
    expect(more).toEqual([])
    expect(line).toMatch(/^[\u0020-\u007e]*$/)
    expect(JSON.parse(line)).toMatchObject({ msg: text })
  })

  it('cuts what does not fit into one atomic write to a FIFO, and stays JSON', () => {
    const log = createLog({ fd })
    log.info('ü'.repeat(10_000), { one: 'x'.repeat(10_000), list: ['y'.repeat(9000)] })
    log.info('short', { one: 'x'.repeat(10_000) })
    for (const call of fake.callsOf('write')) expect((call[1] as Uint8Array).length).toBeLessThanOrEqual(4096)
    expect(records()).toMatchObject([{ msg: expect.stringMatching(/^ü+$/) }, { msg: 'short', one: expect.stringMatching(/^x+…$/) }])
  })

  it('tells on the next line how many were lost while nobody read', () => {
    const log = createLog({ fd })
    fake.fail('write', E.EAGAIN)
    log.info('lost')
    log.info('next')
    log.info('after')
    expect(records()).toMatchObject([{ msg: 'next', dropped: 1 }, { msg: 'after' }])
    expect(records()[1]).not.toHaveProperty('dropped')
  })

  it('opens an existing FIFO without waiting for its reader', () => {
    openLogSink('/log')
    const [, path, flags] = fake.callsOf('openat').at(-1) ?? []
    expect([path, Number(flags) & 0o4002]).toEqual(['/log', 0o4002])
  })
})
