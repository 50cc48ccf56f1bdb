import { beforeEach, describe, expect, it } from 'vitest'
import { E } from '../../native/ts/errno.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { PodCgroup } from '../pid1/cgroup.ts'
import { setOnlineCpus } from './cpus.ts'
import { reserveHugepages } from './hugepages.ts'

beforeEach(() => {
  fake.reset()
  // A kernel file holds what was written last.
  fake.onCall('writeFile', (_dirfd: number, path: string, text: string) => { fake.put(path, text); return text.length })
})

describe('PodCgroup', () => {
  const meminfo = (total: number, available: number, hugetlb = 0) => fake.put('/proc/meminfo', `MemTotal:  ${total} kB\nMemAvailable: ${available} kB\nHugetlb: ${hugetlb} kB\n`)
  const read = (file: string) => fake.text(`/sys/fs/cgroup/${file}`)

  beforeEach(() => {
    fake.put('/sys/fs/cgroup/cgroup.controllers', 'cpu memory pids\n')
    for (const file of ['cgroup.subtree_control', 'pod/cgroup.subtree_control', 'pod/memory.max', 'pod/pids.max']) fake.put(`/sys/fs/cgroup/${file}`, '')
    fake.put('/proc/sys/kernel/threads-max', '1700\n')
    fake.put('/proc/sys/kernel/pid_max', '32768\n')
    meminfo(200_000, 160_000)
  })

  it('leaves the agent and the kernel memory and tasks of their own', () => {
    const pod = new PodCgroup()
    pod.prepare()
    expect([read('cgroup.subtree_control'), read('pod/cgroup.subtree_control')]).toEqual(['+cpu +memory +pids', '+cpu +memory +pids'])
    expect(Number(read('pod/memory.max'))).toBe((160_000 - 12 * 1024) * 1024)
    expect(read('pod/pids.max')).toBe('1636')
    expect(pod.defaultPids).toBe(850)
  })

  it('follows memory that comes, goes, or is set aside', () => {
    const pod = new PodCgroup()
    pod.prepare()
    meminfo(300_000, 1)
    pod.refresh()
    expect(Number(read('pod/memory.max'))).toBe((260_000 - 12 * 1024) * 1024)
    meminfo(300_000, 1, 20_000)
    pod.refresh()
    expect(Number(read('pod/memory.max'))).toBe((240_000 - 12 * 1024) * 1024)
  })

  it('keeps a limit on the smallest machine', () => {
    meminfo(20_000, 1000)
    new PodCgroup().prepare()
    expect(Number(read('pod/memory.max'))).toBe(10_000 * 1024)
  })
})

describe('reserveHugepages', () => {
  const pool = '/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages'
  beforeEach(() => { fake.put('/proc/meminfo', 'MemTotal:  300000 kB\nMemAvailable: 200000 kB\n') })
  const wants = (limit: number) => ({ hugepageLimits: [{ pageSize: '2MB', limit }] })

  it('sets aside what all containers need together, and no page twice', () => {
    fake.put(pool, '0\n')
    expect(reserveHugepages([wants(4 << 20), wants(3 << 20)])).toBe(true)
    expect(fake.text(pool)).toBe('4')
    expect(reserveHugepages([wants(4 << 20), wants(3 << 20)])).toBe(false)
    expect(reserveHugepages([wants(0), {}])).toBe(false)
  })

  it('asks the kernel for no more than leaves the guest memory to live on', () => {
    fake.put(pool, '1\n')
    expect(() => reserveHugepages([wants(1 << 30)])).toThrow('512 huge pages of 2MB were asked for, and the guest\'s memory has room for 82;')
    expect(fake.callsOf('writeFile').map(([, , text]) => text)).toEqual(['1'])
  })

  it('gives back what is not enough, and says how much there was', () => {
    fake.put(pool, '1\n')
    fake.onCall('writeFile', (_dirfd: number, path: string, text: string) => { fake.put(path, text === '32' ? '7\n' : text); return text.length })
    expect(() => reserveHugepages([wants(64 << 20)])).toThrow("32 huge pages of 2MB were asked for, and the guest's memory has room for 7; give the pod")
    expect(fake.text(pool)).toBe('1')
  })

  it('names a size that the CPU does not have', () => {
    expect(() => reserveHugepages([{ hugepageLimits: [{ pageSize: '1GB', limit: 1 << 30 }] }])).toThrow("the guest's CPU has no huge pages of 1GB")
  })
})

describe('setOnlineCpus', () => {
  const online = () => [1, 2, 3].map(cpu => fake.text(`/sys/devices/system/cpu/cpu${cpu}/online`)?.trim())

  beforeEach(() => {
    fake.makeParents('/sys/devices/system/cpu/cpu0/x')
    fake.put('/sys/devices/system/cpu/present', '0-3\n')
    for (const cpu of [1, 2, 3]) fake.put(`/sys/devices/system/cpu/cpu${cpu}/online`, '0\n')
  })

  it.each([[1, ['0', '0', '0']], [3, ['1', '1', '0']], [4, ['1', '1', '1']]])('has the first %i online', (count, expected) => {
    setOnlineCpus(4)
    setOnlineCpus(count)
    expect(online()).toEqual(expected)
  })

  it('writes only what changes, and tells what does not come', () => {
    setOnlineCpus(2)
    fake.calls = []
    setOnlineCpus(2)
    expect(fake.callsOf('writeFile')).toEqual([])
    fake.fail('writeFile', E.EIO)
    expect(() => setOnlineCpus(3)).toThrow('EIO')
    expect(() => setOnlineCpus(5)).toThrow('5 CPUs were asked for, and the machine has room for 0-3')
    expect(() => setOnlineCpus(0)).toThrow('one has to stay')
  })
})
