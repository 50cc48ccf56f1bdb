import { beforeEach, describe, expect, it, vi } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { drain, type Outputs } from './drain.ts'

interface Told extends Outputs {
  deliveredBytes: number
  isEndKnown: boolean
  end(): void
}

function outputs(): Told {
  let end = (): void => {}
  const drained = new Promise<void>(resolve => { end = resolve })
  return { deliveredBytes: 0, isEndKnown: false, drained: () => drained, end }
}

beforeEach(() => fake.reset())

describe('drain', () => {
  it('asks nobody when the output is there', async () => {
    const told = outputs()
    told.end()
    const pulse = vi.fn(async () => {})
    await drain(told, 5, pulse)
    expect(pulse).not.toHaveBeenCalled()
  })

  it('waits for a guest that was stopped for longer than the quiet time', async () => {
    const told = outputs()
    // What was held up comes before the answer, as on the control connection; the bytes after it.
    await drain(told, 5, async () => {
      told.isEndKnown = true
      setTimeout(() => { told.deliveredBytes = 7; told.end() }, 20)
    })
    expect(told.deliveredBytes).toBe(7)
  })

  it('does not wait for a child that holds the output', async () => {
    const pulse = vi.fn(async () => {})
    await drain(outputs(), 5, pulse)
    expect(pulse).toHaveBeenCalledTimes(1)
  })

  it('does not wait for a child that writes for ever', async () => {
    const told = outputs()
    const pulse = vi.fn(async () => { told.deliveredBytes++ })
    await drain(told, 5, pulse)
    expect(pulse).toHaveBeenCalledTimes(3)
  })

  it('gives a guest that feeds it byte by byte a minute', async () => {
    const told = outputs()
    told.isEndKnown = true
    let nowMs = 0
    fake.onCall('monotonicMs', () => nowMs)
    await drain(told, 1, async () => { nowMs += 9_000; told.deliveredBytes++ })
    expect(told.deliveredBytes).toBe(7)
  })

  it('goes on without an agent', async () => {
    await drain(outputs(), 5, async () => { throw new Error('gone') })
  })
})
