import { describe, expect, it } from 'vitest'
import type { LinuxResources } from '../../../../protocol/oci/resources.ts'
import { cpuWeight, ioWeight, settings } from './settings.ts'

const writes = (resources: LinuxResources, present: Record<string, string> = {}) =>
  settings(resources, file => present[file]).map(({ file, value }) => `${file}=${value}`)

describe('cgroup v2 settings', () => {
  it.each<[string, LinuxResources, string[]]>([
    ['memory', { memory: { limit: 1000, swap: 3000, reservation: 500 } }, ['memory.max=1000', 'memory.swap.max=2000', 'memory.low=500']],
    ['no limit', { memory: { limit: -1, swap: -1 } }, ['memory.max=max', 'memory.swap.max=max']],
    ['no limit of memory, so none of swap', { memory: { limit: -1 } }, ['memory.max=max', 'memory.swap.max=max']],
    ['no swap', { memory: { limit: 1000, swap: 1000 } }, ['memory.max=1000', 'memory.swap.max=0']],
    ['zero means not given', { memory: { limit: 0, swap: 0 }, pids: { limit: 0 }, cpu: { shares: 0 } }, []],
    ['quota and period', { cpu: { quota: 50_000, period: 100_000 } }, ['cpu.max=50000 100000']],
    ['pids', { pids: { limit: 7 } }, ['pids.max=7']],
    ['no limit of pids', { pids: { limit: -1 } }, ['pids.max=max']],
    ['shares', { cpu: { shares: 1024 } }, ['cpu.weight=39']],
    ['idle leaves the weight alone', { cpu: { shares: 1024, idle: 1 } }, ['cpu.idle=1']],
    ['cpuset', { cpu: { cpus: ' 0-1 ', mems: '0' } }, ['cpuset.cpus=0-1', 'cpuset.mems=0']],
    ['huge pages', { hugepageLimits: [{ pageSize: '2MB', limit: 4194304 }] }, ['hugetlb.2MB.max=4194304']],
    ['throttles', { blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1000 }] } }, ['io.max=8:0 rbps=1000']],
    ['weights, for both schedulers', { blockIO: { weight: 1000 } }, ['io.bfq.weight=1000', 'io.weight=default 10000']],
    ['a weight for a device, without BFQ', { blockIO: { weightDevice: [{ major: 8, minor: 0, weight: 10 }] } }, ['io.weight=8:0 1']],
    ['burst', { cpu: { quota: 10, period: 20, burst: 5 } }, ['cpu.max=10 20', 'cpu.max.burst=5']],
    ['RDMA', { rdma: { mlx5_0: { hcaHandles: 3 } } }, ['rdma.max=mlx5_0 hca_handle=3 hca_object=max']],
    ['unified comes last', { memory: { limit: 1000 }, unified: { 'memory.high': '900' } }, ['memory.max=1000', 'memory.high=900']],
  ])('%s', (_name, resources, expected) => {
    expect(writes(resources)).toEqual(expected)
  })

  it('gives BFQ the weight of a device in its own terms', () => {
    expect(writes({ blockIO: { weightDevice: [{ major: 8, minor: 0, weight: 10 }] } }, { 'io.bfq.weight': 'default 100\n' })).toEqual(['io.bfq.weight=8:0 10'])
  })

  it('keeps the half of cpu.max that is not given', () => {
    expect(writes({ cpu: { quota: 20_000 } }, { 'cpu.max': 'max 200000\n' })).toEqual(['cpu.max=20000 200000'])
    expect(writes({ cpu: { period: 50_000 } }, { 'cpu.max': '20000 100000\n' })).toEqual(['cpu.max=20000 50000'])
    expect(writes({ cpu: { quota: -1 } }, { 'cpu.max': '20000 100000\n' })).toEqual(['cpu.max=max 100000'])
  })

  it('refuses swap without the memory that it contains', () => {
    expect(() => writes({ memory: { swap: 1000 } })).toThrow(/memory.limit/)
  })

  it('checks usage before it shrinks, when asked to', () => {
    expect(() => writes({ memory: { limit: 10, checkBeforeUpdate: true } }, { 'memory.current': '20\n' })).toThrow(/20 bytes in use/)
  })

  it('maps the ends of the scales onto each other', () => {
    expect([cpuWeight(2), cpuWeight(262144), cpuWeight(1), cpuWeight(10 ** 9)]).toEqual([1, 10000, 1, 10000])
    expect([ioWeight(10), ioWeight(1000)]).toEqual([1, 10000])
  })
})
