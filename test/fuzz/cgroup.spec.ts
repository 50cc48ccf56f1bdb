/** Files of the cgroup file systems, old, new and none: every figure that is read of them is one that can be sent. */
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ContainerStats } from '../../agent/container/cgroup/cgroup.ts'
import { readStats as readV1 } from '../../agent/container/cgroup/v1/stats.ts'
import { readStats as readV2 } from '../../agent/container/cgroup/v2/stats.ts'
import { statsResponse } from '../../agent/rpc/stats.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { StatsContainerResponse } from '../../protocol/gen/agent.ts'
import { mutatedText } from './arbitraries.ts'
import { settings } from './settings.ts'

/** As kernels 5.15 to 6.18 write them. */
const v2: Record<string, string> = {
  'cpu.stat': 'usage_usec 1\nuser_usec 2\nsystem_usec 3\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n', 'memory.current': '4096\n', 'memory.peak': '8192\n', 'memory.max': 'max\n', 'memory.swap.current': '0\n', 'memory.swap.max': 'max\n',
  'memory.stat': 'anon 1\nfile 2\nkernel_stack 3\n', 'memory.events': 'low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\n', 'pids.current': '3\n', 'pids.max': 'max\n', 'io.stat': '8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n254:16 \n',
  'hugetlb.2MB.current': '0\n', 'hugetlb.2MB.max': 'max\n', 'hugetlb.2MB.events': 'max 0\n',
}
const v1: Record<string, string> = {
  'cpuacct.usage': '1000\n', 'cpuacct.usage_user': '500\n', 'cpuacct.usage_sys': '500\n', 'cpu.stat': 'nr_periods 0\nnr_throttled 0\nthrottled_time 0\n', 'memory.usage_in_bytes': '4096\n', 'memory.max_usage_in_bytes': '8192\n',
  'memory.limit_in_bytes': '9223372036854771712\n', 'memory.memsw.usage_in_bytes': '4096\n', 'memory.memsw.limit_in_bytes': '9223372036854771712\n', 'memory.stat': 'cache 1\nrss 2\n', 'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 0\n',
  'pids.current': '3\n', 'pids.max': 'max\n', 'blkio.throttle.io_service_bytes': '8:0 Read 4096\n8:0 Write 0\nTotal 4096\n', 'blkio.throttle.io_serviced': '8:0 Read 1\nTotal 1\n',
  'hugetlb.2MB.usage_in_bytes': '0\n', 'hugetlb.2MB.max_usage_in_bytes': '0\n', 'hugetlb.2MB.failcnt': '0\n',
}

/** The files of one version, some spoilt and some not there. */
const spoilt = (files: Record<string, string>): fc.Arbitrary<Record<string, string>> =>
  fc.tuple(fc.subarray(Object.keys(files)), fc.constantFrom(...Object.keys(files)).chain(name => mutatedText([files[name] ?? ''], ' \n=:-0123456789max').map(text => ({ name, text }))))
    .map(([present, { name, text }]) => ({ ...Object.fromEntries(present.map(key => [key, files[key] ?? ''])), [name]: text }))

function numbersOf(value: unknown): number[] {
  if (typeof value === 'number') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersOf) : []
}

function judge(files: Record<string, string>, read: () => ContainerStats): void {
  fake.reset()
  for (const [name, text] of Object.entries(files)) fake.put(`/cg/${name}`, text)
  expect(numbersOf(read()).filter(number => !Number.isInteger(number))).toEqual([])
  // What is no figure is 0 on the wire, and a device's numbers have 32 bits.
  expect(() => StatsContainerResponse.encode(statsResponse(read()))).not.toThrow()
}

describe('figures of a cgroup', () => {
  beforeEach(() => fake.reset())

  it('of version 2 are whole numbers, whatever the files are', () => {
    judge(v2, () => readV2('/cg'))
    fc.assert(fc.property(spoilt(v2), files => judge(files, () => readV2('/cg'))), settings)
  })

  it('of version 1 are whole numbers, whatever the files are', () => {
    judge(v1, () => readV1(() => '/cg'))
    fc.assert(fc.property(spoilt(v1), files => judge(files, () => readV1(() => '/cg'))), settings)
  })
})
