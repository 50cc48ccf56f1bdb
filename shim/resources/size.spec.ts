import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { parseSpec } from '../../protocol/oci/parse.ts'
import { configFrom } from '../config/config.ts'
import { countCpus } from './host.ts'
import { limitsOf, noLimits, type PodLimits } from './limits.ts'
import { sizeOf } from './size.ts'

const mebibyte = 1024 * 1024
const config = (toml = '') => configFrom([{ path: 'x', text: `[hypervisor]\n${toml}` }]).hypervisor
const spec = (annotations: Record<string, string>, resources: unknown = {}) => parseSpec(JSON.stringify({
  ociVersion: '1.1.0', annotations, root: { path: 'rootfs' }, process: { args: ['true'], cwd: '/', user: { uid: 0, gid: 0 } }, linux: { resources },
}))

beforeEach(() => {
  fake.reset()
  fake.put('/proc/meminfo', 'MemTotal:       16777216 kB\n')
  fake.put('/sys/devices/system/cpu/online', '0-3,6-7\n')
})

describe('limitsOf', () => {
  const pod = (more: Record<string, string>) => spec({ 'io.kubernetes.cri.container-type': 'sandbox', ...more }, { cpu: { shares: 2 }, memory: { limit: 77 } })

  it('takes a pod from the annotations of CRI, never from the pause container', () => {
    expect(limitsOf(pod({
      'io.kubernetes.cri.sandbox-memory': '134217728', 'io.kubernetes.cri.sandbox-cpu-quota': '150000', 'io.kubernetes.cri.sandbox-cpu-period': '100000',
    }))).toEqual({ memoryBytes: 134217728, cpus: 1.5, hugepageBytes: 0 })
    expect(limitsOf(pod({}))).toEqual(noLimits)
  })

  it('has a pod use the CPUs that it requested, where no limit says more or less', () => {
    const shares = (count: number, quota = '-1') => limitsOf(pod({ 'io.kubernetes.cri.sandbox-cpu-shares': String(count), 'io.kubernetes.cri.sandbox-cpu-quota': quota, 'io.kubernetes.cri.sandbox-cpu-period': '100000' })).cpus
    expect([shares(2), shares(1024), shares(3072), shares(3072, '400000')]).toEqual([0, 0, 3, 4])
  })

  it.each(['0', '-1', '', 'lots', '9'.repeat(30)])('takes %j for no limit', text => {
    expect(limitsOf(pod({ 'io.kubernetes.cri.sandbox-memory': text, 'io.kubernetes.cri.sandbox-cpu-quota': text, 'io.kubernetes.cri.sandbox-cpu-period': text }))).toEqual(noLimits)
  })

  it('takes a container that is no pod from its own limits', () => {
    expect(limitsOf(spec({}, { memory: { limit: 1000 }, cpu: { quota: 50000 }, hugepageLimits: [{ pageSize: '2MB', limit: 4194304 }] }))).toEqual({ memoryBytes: 1000, cpus: 0.5, hugepageBytes: 4194304 })
    expect(limitsOf(spec({}, { memory: { limit: -1 }, cpu: { quota: -1, period: 100000 } }))).toEqual(noLimits)
  })
})

describe('sizeOf', () => {
  const size = (limits: Partial<PodLimits>, toml = '') => sizeOf({ ...noLimits, ...limits }, config(toml))

  it('is the configured default without limits', () => {
    expect(size({})).toEqual({ memoryMib: 256, vcpus: 1, notes: [] })
    expect(size({}, 'memory_mib = 512\nvcpus = 3')).toEqual({ memoryMib: 512, vcpus: 3, notes: [] })
  })

  it.each([
    // limit in MiB, overhead, VM: the limit, a 64th of it for page descriptors, the overhead; even.
    [128, 96, 226], [1024, 96, 1136], [64, 128, 194], [1, 96, 98],
  ])('has %i MiB beside an overhead of %i in a VM of %i', (limit, overhead, expected) => {
    expect(size({ memoryBytes: limit * mebibyte }, `memory_overhead_mib = ${overhead}`).memoryMib).toBe(expected)
  })

  it('has huge pages beside the rest', () => {
    expect(size({ memoryBytes: 64 * mebibyte, hugepageBytes: 64 * mebibyte }).memoryMib).toBe(226)
    expect(size({ hugepageBytes: 64 * mebibyte }).memoryMib).toBe(422)
  })

  it.each([[0.1, 1], [1, 1], [1.01, 2], [4, 4]])('rounds %f CPUs up to %i', (cpus, vcpus) => expect(size({ cpus }).vcpus).toBe(vcpus))

  it('gives no more than the host has, and says so', () => {
    expect(size({ memoryBytes: 1e12, cpus: 64 })).toEqual({
      memoryMib: 16384, vcpus: 6,
      notes: [expect.stringContaining('gets 16384, which is all that this host has'), expect.stringContaining('gets 6, which is all that this host has')],
    })
  })

  it('gives no more than the operator allows, and says so', () => {
    expect(size({ memoryBytes: 1e12, cpus: 64 }, 'max_memory_mib = 2048\nmax_vcpus = 2')).toEqual({
      memoryMib: 2048, vcpus: 2,
      notes: [expect.stringContaining('gets 2048, which is all that hypervisor.max_memory_mib allows'), expect.stringContaining('gets 2, which is all that hypervisor.max_vcpus allows')],
    })
  })
})

describe('countCpus', () => {
  it.each([['0\n', 1], ['0-3\n', 4], ['0-1,4,6-7', 5], ['', 0]])('counts %j as %i', (list, count) => expect(countCpus(list)).toBe(count))
})
