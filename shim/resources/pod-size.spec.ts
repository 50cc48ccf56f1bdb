import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import type { AgentClient } from '../agent-client.ts'
import { configFrom } from '../config/config.ts'
import type { Hypervisor } from '../hypervisor/hypervisor.ts'
import { silentLog } from '../log.ts'
import { noLimits, type PodLimits } from './limits.ts'
import { PodSize } from './pod-size.ts'
import { resizeAround } from './resize.ts'
import { sandboxConfig } from './sandbox-config.ts'

const mebibyte = 1024 * 1024
const memory = (mib: number) => ({ memory: { limit: mib * mebibyte } })
const cpu = (cpus: number) => ({ cpu: { quota: cpus * 100_000, period: 100_000 } })

describe('PodSize', () => {
  const pod = (limits: Partial<PodLimits>): PodSize => {
    const all = { ...noLimits, ...limits }
    return new PodSize(all, sandboxConfig(configFrom([]), {}, all, true).config.hypervisor)
  }

  beforeEach(() => {
    fake.reset()
    fake.put('/proc/meminfo', 'MemTotal:       16777216 kB\n')
    fake.put('/sys/devices/system/cpu/online', '0-15\n')
  })

  it('moves the pod\'s sum by what a container changes', () => {
    const size = pod({ memoryBytes: 192 * mebibyte, cpus: 1.5 })
    size.add('a', { ...memory(128), ...cpu(1) })
    size.add('b', { ...memory(64), ...cpu(0.5) })
    const grown = size.after('a', { ...memory(256), ...cpu(3) })
    expect(grown.size).toEqual({ memoryMib: 422, vcpus: 4, notes: [] })
    grown.commit({ memoryMib: 1, vcpus: 1 })
    const shrunk = size.after('b', memory(32))
    expect(shrunk.size.memoryMib).toBe(390)
    shrunk.commit({ memoryMib: 1, vcpus: 1 })
    // Never below what it booted with.
    expect(size.after('a', memory(128)).size).toMatchObject({ memoryMib: 292, vcpus: 4 })
  })

  it('makes room for the huge pages of its containers, whatever was said of the pod', () => {
    const size = pod({ memoryBytes: 128 * mebibyte })
    size.add('a', memory(128))
    const before = size.after('a', {}).size.memoryMib
    size.add('b', { hugepageLimits: [{ pageSize: '2MB', limit: 64 * mebibyte }] })
    expect(size.after('b', {}).size.memoryMib).toBeGreaterThanOrEqual(before + 65)
    size.remove('b')
    expect(size.after('a', {}).size.memoryMib).toBe(before)
  })

  it('changes nothing before it is committed', () => {
    const size = pod({ memoryBytes: 128 * mebibyte })
    size.add('a', memory(128))
    expect(size.after('a', memory(256)).size.memoryMib).toBe(356)
    expect(size.after('a', memory(192)).size.memoryMib).toBe(292)
  })

  it('keeps the default of a pod that was not limited, and grows above it', () => {
    const size = pod({})
    size.add('a', {})
    size.add('b', {})
    expect(size.after('a', memory(64)).size).toMatchObject({ memoryMib: 256, vcpus: 1 })
    expect(size.after('a', { ...memory(512), ...cpu(2) }).size).toMatchObject({ memoryMib: 616, vcpus: 2 })
  })

  it('takes no limit for no change of the sum', () => {
    const size = pod({ memoryBytes: 128 * mebibyte })
    size.add('a', memory(128))
    expect(size.after('a', { memory: { limit: -1 } }).size.memoryMib).toBe(226)
    expect(size.after('a', { cpu: { shares: 512 } }).size.memoryMib).toBe(226)
    expect(size.after('new', memory(64)).size.memoryMib).toBe(226)
  })

  it('has no more CPUs than the VM was made for, and says so', () => {
    const size = pod({ cpus: 1 })
    size.add('a', cpu(1))
    expect(size.after('a', cpu(9)).size).toMatchObject({ vcpus: 4, notes: [expect.stringContaining('asks for 9 vCPUs; this VM can have 4')] })
  })
})

describe('resizeAround', () => {
  const ports = (order: string[], has: { memoryMib?: number } = {}) => ({
    hypervisor: { resize: async (size: { vcpus: number; memoryMib: number }) => { order.push(`vm ${size.memoryMib}`); return { ...size, memoryMib: has.memoryMib ?? size.memoryMib } } } as unknown as Hypervisor, // what is used of it
    agent: { resizeSandbox: async ({ onlineCpus }: { onlineCpus: number }) => { order.push(`cpus ${onlineCpus}`); return { onlineCpus: onlineCpus || 1, memoryTotalBytes: 0n } } } as unknown as AgentClient, // what is used of it
    log: silentLog,
  })
  const change = (order: string[]) => async () => { order.push('limits') }

  it.each([
    ['up', { memoryMib: 256, vcpus: 1 }, { memoryMib: 512, vcpus: 2 }, ['vm 512', 'cpus 2', 'limits'], { memoryMib: 512, vcpus: 2 }],
    ['down', { memoryMib: 512, vcpus: 2 }, { memoryMib: 256, vcpus: 1 }, ['limits', 'cpus 1', 'vm 256', 'cpus 0'], { memoryMib: 256, vcpus: 1 }],
    ['memory up and CPUs down', { memoryMib: 256, vcpus: 2 }, { memoryMib: 512, vcpus: 1 }, ['vm 512', 'cpus 2', 'limits', 'cpus 1'], { memoryMib: 512, vcpus: 1 }],
    ['nothing', { memoryMib: 256, vcpus: 1 }, { memoryMib: 256, vcpus: 1 }, ['limits'], { memoryMib: 256, vcpus: 1 }],
  ])('resizes %s in the order in which no limit promises what is not there', async (_what, from, to, expected, result) => {
    const order: string[] = []
    expect(await resizeAround(from, to, ports(order), change(order))).toEqual(result)
    expect(order).toEqual(expected)
  })

  it('remembers what a guest kept', async () => {
    const order: string[] = []
    expect(await resizeAround({ memoryMib: 512, vcpus: 1 }, { memoryMib: 256, vcpus: 1 }, ports(order, { memoryMib: 300 }), change(order))).toEqual({ memoryMib: 300, vcpus: 1 })
  })

  it('changes no limit when the VM cannot grow', async () => {
    const order: string[] = []
    const broken = { ...ports(order), hypervisor: { resize: async () => { throw new Error('no room') } } as unknown as Hypervisor } // what is used of it
    await expect(resizeAround({ memoryMib: 256, vcpus: 1 }, { memoryMib: 512, vcpus: 1 }, broken, change(order))).rejects.toThrow('no room')
    expect(order).toEqual([])
  })
})
