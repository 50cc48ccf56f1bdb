import { expect, it } from 'vitest'
import { CancellationSource, untilCancelled } from './cancellation.ts'
import { Code, RpcError } from './status.ts'

it('tells each listener once, with the first reason', () => {
  const source = new CancellationSource()
  const told: RpcError[] = []
  source.token.onCancel(reason => told.push(reason))
  source.cancel(new RpcError(Code.DeadlineExceeded, 'late'))
  source.cancel()
  expect(told).toMatchObject([{ code: Code.DeadlineExceeded }])
  expect(() => source.token.throwIfCancelled()).toThrow('late')
})

it('tells who comes later at once', () => {
  const source = new CancellationSource()
  source.cancel()
  const told: RpcError[] = []
  source.onCancel(reason => told.push(reason))
  expect(told).toMatchObject([{ code: Code.Canceled }])
})

it('does not tell who unsubscribed, and what runs anew in a callback does not loop', () => {
  const source = new CancellationSource()
  let told = 0
  source.onCancel(() => told++)()
  source.onCancel(() => source.onCancel(() => told++))
  source.cancel()
  expect(told).toBe(1)
})

it('untilCancelled gives the result, or rejects without waiting for it', async () => {
  const source = new CancellationSource()
  expect(await untilCancelled(Promise.resolve(1), source)).toBe(1)
  await expect(untilCancelled(Promise.reject(new Error('own')), source)).rejects.toThrow('own')
  const never = untilCancelled(new Promise(() => {}), source)
  source.cancel()
  await expect(never).rejects.toMatchObject({ code: Code.Canceled })
})
