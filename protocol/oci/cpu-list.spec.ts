import { describe, expect, it } from 'vitest'
import { cpusOf, isCpuList } from './cpu-list.ts'

describe('a list of CPUs', () => {
  it.each([
    ['0', [0]], ['0-3,7', [0, 1, 2, 3, 7]], [' 2 , 0-1 ', [0, 1, 2]], ['3,3,2-4', [2, 3, 4]], ['', undefined], ['  ', undefined], [undefined, undefined],
  ])('%j names %j', (list, cpus) => expect(cpusOf(list)).toEqual(cpus))

  it.each([['0-3', true], ['', true], ['3-0', false], ['0-8191', true], ['8192', false], ['0-99999999999', false]])('%j can be one: %s', (list, right) => {
    expect(isCpuList(list)).toBe(right)
  })
})
