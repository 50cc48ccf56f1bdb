import { beforeEach, describe, expect, it, vi } from 'vitest'
import { fake } from '../../../native/ts/fake/sys.ts'
import { MemoryDevice } from './memory-device.ts'
import type { Qmp } from './qmp.ts'

const mebibyte = 1024 * 1024

describe('MemoryDevice', () => {
  /** MiB that QEMU was told to give, and how much of it the guest plugs at once. */
  let requested: number[]
  let plugs: (mib: number) => number
  let device: MemoryDevice

  beforeEach(() => {
    fake.reset()
    requested = []
    plugs = mib => mib
    const qmp = {
      execute: async (command: string, { path, property, value }: { path: string; property: string; value: number }) => {
        expect([command, path, property]).toEqual(['qom-set', '/machine/peripheral/virtiomem', 'requested-size'])
        requested.push(value / mebibyte)
        setImmediate(() => device.sizeChanged({ id: 'virtiomem', size: plugs(value / mebibyte) * mebibyte }))
      },
    }
    device = new MemoryDevice(qmp as unknown as Qmp, { bootMib: 256, maxMib: 1024 }) // the one method that it calls
  })

  it('gives and takes what lies above the memory at boot', async () => {
    expect(await device.resize(513)).toBe(514)
    expect(await device.resize(300)).toBe(300)
    expect(await device.resize(100)).toBe(256)
    expect(requested).toEqual([258, 44, 0])
  })

  it('asks for nothing that is there already', async () => {
    expect(await device.resize(256)).toBe(256)
    expect(requested).toEqual([])
  })

  it('names the most it can grow to', async () => {
    await expect(device.resize(1025)).rejects.toThrow('the VM cannot grow to 1025 MiB: it has room for 1024; raise hypervisor.max_memory_mib')
  })

  it('takes back what a guest took only in part', async () => {
    plugs = mib => Math.min(mib, 100)
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    const grown = device.resize(512)
    grown.catch(() => {})
    await new Promise(resolve => setImmediate(resolve))
    await new Promise(resolve => setImmediate(resolve))
    await vi.advanceTimersByTimeAsync(60_000)
    vi.useRealTimers()
    await expect(grown).rejects.toThrow('the guest took 100 of 256 MiB that it was given')
    expect(requested).toEqual([256, 0])
  })

  it('does not believe in another device\'s memory', async () => {
    device.sizeChanged({ id: 'other', size: 64 * mebibyte })
    device.sizeChanged({ id: 'virtiomem', size: 'much' })
    expect(await device.resize(256)).toBe(256)
  })
})
