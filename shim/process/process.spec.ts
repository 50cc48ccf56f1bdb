import { describe, expect, it } from 'vitest'
import type { Stdio } from '../stdio/stdio.ts'
import { Process } from './process.ts'
import { canMove, type ProcessStateName } from './state.ts'

const exit = { status: 3, atNs: 5n }

function streams(drained: Promise<'complete'> = Promise.resolve('complete')): Stdio & { closed: number } {
  const stdio = { closed: 0, stdin: undefined, deliveredBytes: 0, isEndKnown: false, drained: () => drained, close: async () => { stdio.closed++ } }
  return stdio as unknown as Stdio & { closed: number } // the part of Stdio that a Process uses
}

function init(stdio = streams()): { process: Process; told: unknown[] } {
  const process = new Process({ containerId: 'c1', execId: '' }, stdio, async () => {})
  const told: unknown[] = []
  process.onExit(seen => told.push(seen))
  return { process, told }
}

describe('process states', () => {
  const all: ProcessStateName[] = ['added', 'created', 'starting', 'running', 'stopped', 'deleted']
  it('only ever go forward, and nothing follows deleted', () => {
    for (const [at, from] of all.entries()) for (const to of all.slice(0, at + 1)) expect(canMove(from, to), `${from} → ${to}`).toBe(false)
    expect(all.filter(to => canMove('stopped', to))).toEqual(['deleted'])
  })
})

describe('Process', () => {
  it('holds an exit back that comes before the start is answered', () => {
    const { process, told } = init()
    process.created()
    process.starting()
    process.stopped(exit)
    expect(told).toEqual([])
    process.running()
    process.announced()
    expect(told).toEqual([exit])
    expect(process.exit).toEqual(exit)
  })

  it('counts an exit between create and start at once', () => {
    const { process, told } = init()
    process.created()
    process.stopped(exit)
    expect(told).toEqual([exit])
    expect(() => process.starting()).toThrow('cannot be started: it is stopped')
  })

  it('ignores a second exit', () => {
    const { process, told } = init()
    process.created()
    process.stopped(exit)
    process.stopped({ status: 9, atNs: 6n })
    expect(told).toEqual([exit])
  })

  it('prefers the exit it was told to the one of a failed start', () => {
    const { process, told } = init()
    process.created()
    process.starting()
    process.stopped(exit)
    process.failed()
    expect(told).toEqual([exit])
  })

  it('lets waiters go when its output is out', async () => {
    let drain: (end: 'complete') => void = () => {}
    const { process } = init(streams(new Promise(resolve => { drain = resolve })))
    process.created()
    process.stopped(exit)
    let waited = false
    const waiting = process.wait().then(() => { waited = true })
    await Promise.resolve()
    expect(waited).toBe(false)
    drain('complete')
    await waiting
    expect(waited).toBe(true)
  })

  it('is deleted only when it has stopped, and closes its streams then', async () => {
    const stdio = streams()
    const { process } = init(stdio)
    process.created()
    await expect(process.delete()).rejects.toThrow('cannot be deleted: it is created')
    process.stopped(exit)
    expect(await process.delete()).toEqual(exit)
    expect(stdio.closed).toBe(1)
    await expect(process.delete()).rejects.toThrow('it is deleted')
  })
})
