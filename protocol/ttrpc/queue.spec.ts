import { describe, expect, it } from 'vitest'
import { Queue } from './queue.ts'
import { Code, RpcError } from './status.ts'

const sized = () => new Queue<string>({ sizeBytes: text => text.length, sizeBytesMax: 1000 })

describe('Queue', () => {
  it('gives items in order, to a reader that came first or later', async () => {
    const queue = new Queue<number>()
    const first = queue.next()
    queue.push(1)
    queue.push(2)
    expect([await first, await queue.next()]).toEqual([{ done: false, value: 1 }, { done: false, value: 2 }])
  })

  it('gives what was pushed before its end, then the end', async () => {
    const queue = new Queue<number>()
    queue.push(1)
    queue.end()
    expect(queue.push(2)).toBe(false)
    expect([await queue.next(), await queue.next()]).toEqual([{ done: false, value: 1 }, { done: true, value: undefined }])
  })

  it('gives what was pushed before it failed, then the error', async () => {
    const queue = new Queue<number>()
    queue.push(1)
    queue.fail(new Error('lost'))
    expect((await queue.next()).value).toBe(1)
    await expect(queue.next()).rejects.toThrow('lost')
  })

  it('ends and fails readers that wait', async () => {
    const [ended, failed] = [new Queue<number>(), new Queue<number>()]
    const [first, second] = [ended.next(), failed.next()]
    ended.end()
    failed.fail(new Error('lost'))
    expect((await first).done).toBe(true)
    await expect(second).rejects.toThrow('lost')
  })

  it('tells once that its reader left, and takes nothing more', async () => {
    const queue = new Queue<number>()
    let left = 0
    queue.onReturn = () => left++
    queue.push(1)
    for await (const item of queue) {
      expect(item).toBe(1)
      break
    }
    await queue.return()
    expect(left).toBe(1)
    expect(queue.push(2)).toBe(false)
    expect((await queue.next()).done).toBe(true)
  })

  it('keeps its order over many items, however they are read', async () => {
    const queue = new Queue<number>()
    let read = 0
    for (let i = 0; i < 10_000; i++) {
      queue.push(i)
      if (i % 3 === 0) expect((await queue.next()).value).toBe(read++)
    }
    queue.end()
    for await (const item of queue) expect(item).toBe(read++)
    expect(read).toBe(10_000)
    expect(queue.length).toBe(0)
  })

  it('over its limit drops what it holds and fails', async () => {
    const queue = sized()
    expect(queue.push('x'.repeat(800))).toBe(true)
    expect(queue.push('x'.repeat(800))).toBe(false)
    expect(queue.length).toBe(0)
    await expect(queue.next()).rejects.toBeInstanceOf(RpcError)
    await expect(queue.next()).rejects.toMatchObject({ code: Code.ResourceExhausted })
  })

  it('counts what was read as gone, and empty items as something', async () => {
    const queue = sized()
    for (let i = 0; i < 100; i++) {
      expect(queue.push('x'.repeat(800))).toBe(true)
      await queue.next()
    }
    for (let i = 0; i < 15; i++) expect(queue.push('')).toBe(true)
    expect(queue.push('')).toBe(false)
  })
})
