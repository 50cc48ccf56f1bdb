import { describe, expect, it } from 'vitest'
import { Owner } from './owner.ts'

describe('Owner', () => {
  it('releases last in, first out', async () => {
    const released: string[] = []
    const owner = new Owner()
    owner.defer('a', () => void released.push('a'))
    owner.defer('b', async () => void released.push('b'))
    owner.own('c', { [Symbol.dispose]: () => void released.push('c') })
    await owner.release()
    expect(released).toEqual(['c', 'b', 'a'])
  })

  it('goes on after a failure and reports every one', async () => {
    const released: string[] = []
    const owner = new Owner()
    owner.defer('first', () => { throw new Error('no') })
    owner.defer('second', () => void released.push('second'))
    owner.defer('third', () => Promise.reject(new Error('never')))
    await expect(owner.release()).rejects.toThrow('2 releases failed: release third: never; release first: no')
    expect(released).toEqual(['second'])
  })

  it('owes nothing after it moved', async () => {
    const released: string[] = []
    const owner = new Owner()
    owner.defer('a', () => void released.push('a'))
    const next = owner.move()
    await owner.release()
    expect(released).toEqual([])
    expect(next.owes).toEqual(['a'])
    await next.release()
    expect(released).toEqual(['a'])
  })
})
