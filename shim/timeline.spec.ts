import { describe, expect, it } from 'vitest'
import type { Fields } from './log.ts'
import { silentLog } from './log.ts'
import { Timeline } from './timeline.ts'

describe('timeline', () => {
  it('gives milliseconds since exec in the order of time', () => {
    const timeline = new Timeline(1000)
    timeline.mark('agent', 1900.126)
    timeline.mark('vmm', 1010)
    timeline.mark('vmm', 5000)
    expect(Object.entries(timeline.phases())).toEqual([['exec', 0], ['vmm', 10], ['agent', 900.13]])
  })

  it('reports once', () => {
    const told: [string, Fields | undefined][] = []
    const timeline = new Timeline(1000)
    const log = { ...silentLog, info: (msg: string, fields?: Fields) => void told.push([msg, fields]) }
    timeline.report(log)
    timeline.report(log)
    expect(told).toEqual([['timeline', { startMs: 1000, phases: { exec: 0 } }]])
  })
})
