/** What systemd is told of a container: each property's name, type and value. */
import { describe, expect, it } from 'vitest'
import type { LinuxResources } from '../../../protocol/oci/resources.ts'
import { annotatedProperties } from './annotated-properties.ts'
import { deviceProperties } from './device-properties.ts'
import { scopeProperties } from './plan.ts'
import { resourceProperties } from './resource-properties.ts'
import type { Property } from './units.ts'

const short = (properties: readonly Property[]) => properties.map(({ name, signature, value }) => [name, signature, value])
const infinity = 2n ** 64n - 1n

describe('limits', () => {
  it.each([
    ['memory', { memory: { limit: 1 << 20, reservation: 4096, swap: 3 << 20 } }, [['MemoryLimit', 't', 1n << 20n]], [['MemoryMax', 't', 1n << 20n], ['MemoryLow', 't', 4096n], ['MemorySwapMax', 't', 2n << 20n]]],
    ['no memory limit', { memory: { limit: -1, swap: -1 } }, [['MemoryLimit', 't', infinity]], [['MemoryMax', 't', infinity], ['MemorySwapMax', 't', infinity]]],
    ['shares', { cpu: { shares: 1024 } }, [['CPUShares', 't', 1024n]], [['CPUWeight', 't', 39n]]],
    ['a quota', { cpu: { quota: 25_000, period: 100_000 } }, [['CPUQuotaPerSecUSec', 't', 250_000n]], [['CPUQuotaPerSecUSec', 't', 250_000n]]],
    ['a quota of a fraction of a percent, which is the next whole one', { cpu: { quota: 1234 } }, [['CPUQuotaPerSecUSec', 't', 20_000n]], [['CPUQuotaPerSecUSec', 't', 20_000n]]],
    ['no quota', { cpu: { quota: -1 } }, [['CPUQuotaPerSecUSec', 't', infinity]], [['CPUQuotaPerSecUSec', 't', infinity]]],
    ['CPUs, which systemd has no v1 property for', { cpu: { cpus: '0-1,9', mems: '0' } }, [], [['AllowedCPUs', 'ay', [3, 2]], ['AllowedMemoryNodes', 'ay', [1]]]],
    ['pids', { pids: { limit: 33 } }, [['TasksMax', 't', 33n]], [['TasksMax', 't', 33n]]],
    ['any number of pids', { pids: { limit: -1 } }, [['TasksMax', 't', infinity]], [['TasksMax', 't', infinity]]],
    ['a weight', { blockIO: { weight: 1000 } }, [['BlockIOWeight', 't', 1000n]], [['IOWeight', 't', 10_000n]]],
    ['nothing', {}, [], []],
  ] satisfies [string, LinuxResources, unknown[], unknown[]][])('%s', (_what, resources, v1, v2) => {
    expect(short(resourceProperties(resources, 'v1'))).toEqual(v1)
    expect(short(resourceProperties(resources, 'v2'))).toEqual(v2)
  })
})

describe('device rules', () => {
  const allowed = (rules: Parameters<typeof deviceProperties>[0]) => deviceProperties(rules).filter(({ name }) => name === 'DeviceAllow').at(-1)?.value

  it('are strict, and name what every container may use', () => {
    expect(deviceProperties([])[0]).toEqual({ name: 'DevicePolicy', signature: 's', value: 'strict' })
    expect(allowed([])).toEqual(expect.arrayContaining([['char-*', 'm'], ['block-*', 'm'], ['/dev/char/1:3', 'rwm'], ['char-136', 'rwm']]))
  })

  it('the later ones win', () => {
    const tun = { type: 'c', major: 10, minor: 200 }
    expect(allowed([{ ...tun, allow: true, access: 'rwm' }, { ...tun, allow: false, access: 'w' }])).toContainEqual(['/dev/char/10:200', 'rm'])
    expect(allowed([{ ...tun, allow: true, access: 'rw' }, { allow: false, access: 'rwm' }])).not.toContainEqual(['/dev/char/10:200', 'rw'])
    expect(allowed([{ type: 'b', major: 8, allow: true, access: 'r' }])).toContainEqual(['block-8', 'r'])
  })

  it('of a privileged container are none', () => {
    expect(short(deviceProperties([{ allow: true, access: 'rwm' }]))).toEqual([['DevicePolicy', 's', 'auto'], ['DeviceAllow', 'a(ss)', []]])
  })
})

describe('annotations org.systemd.property', () => {
  const of = (name: string, text: string) => short(annotatedProperties({ [`org.systemd.property.${name}`]: text }))

  it.each([
    ['CollectMode', '\'inactive-or-failed\'', [['CollectMode', 's', 'inactive-or-failed']]],
    ['TimeoutStopUSec', 'uint64 5000000', [['TimeoutStopUSec', 't', 5_000_000n]]],
    ['TimeoutStopSec', '1.5', [['TimeoutStopUSec', 't', 1_500_000n]]],
    ['KillSignal', '37', [['KillSignal', 'i', 37]]],
    ['SendSIGHUP', 'true', [['SendSIGHUP', 'b', true]]],
    ['After', '[\'a.service\', "b.service"]', [['After', 'as', ['a.service', 'b.service']]]],
  ])('%s: %s', (name, text, means) => expect(of(name, text)).toEqual(means))

  it.each([['A b', '1'], ['Ok', '\'name too short'], ['KillSignal', 'strange 1'], ['KillSignal', ''], ['After', '[1, 2]']])('%j: %j is refused', (name, text) => {
    expect(() => of(name, text)).toThrow(`annotation org.systemd.property.${name}`)
  })

  it('others are none of systemd’s', () => expect(annotatedProperties({ 'org.systemd.other': 'x', a: 'b' })).toEqual([]))
})

describe('a scope', () => {
  it('is delegated, accounted for, and without dependencies of its own', () => {
    const properties = scopeProperties({ ociVersion: '1.2.0', annotations: { 'org.systemd.property.KillSignal': '37' }, linux: { resources: { pids: { limit: 5 } } } }, 'c1', { unit: 'x.scope', slice: 'machine.slice' }, 'v2')
    expect(short(properties)).toEqual(expect.arrayContaining([
      ['Slice', 's', 'machine.slice'], ['Delegate', 'b', true], ['DefaultDependencies', 'b', false], ['IOAccounting', 'b', true], ['TasksMax', 't', 5n], ['KillSignal', 'i', 37], ['DevicePolicy', 's', 'strict'],
    ]))
  })
})
