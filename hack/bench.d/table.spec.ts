import { expect, it } from 'vitest'
import { Table } from './table.ts'

it('prints minimum and median side by side, a dash for what a runtime does not have, and says what was not measured', () => {
  const table = new Table()
  table.add('run', 'ms', { 'kata-ts': [3, 1, 200], 'runc': [12.34] }, 'first: ≤ 250')
  table.add('guest', 'MiB', { 'kata-ts': [NaN] })
  expect(table.format().split('\n').slice(1)).toEqual([
    'run     1.00 / 3.00  12.3  ms   first: ≤ 250',
    'guest  not measured     –  MiB',
    '',
  ])
})
