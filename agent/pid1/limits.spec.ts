import { beforeEach, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { raiseLimits } from './limits.ts'

beforeEach(() => {
  fake.reset()
  fake.onCall('writeFile', (_dirfd: number, path: string, text: string) => { fake.put(path, text); return text.length })
  fake.onCall('setrlimit', () => 0)
})

it('leaves the number of open files to the memory cgroups, so that no container can take them all', () => {
  for (const file of ['vm/overcommit_memory', 'fs/file-max']) fake.put(`/proc/sys/${file}`, '')
  raiseLimits()
  expect(fake.text('/proc/sys/fs/file-max')).toBe(String(2n ** 63n - 1n))
  expect(fake.text('/proc/sys/vm/overcommit_memory')).toBe('1')
})
