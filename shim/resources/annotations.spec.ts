import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { configFrom } from '../config/config.ts'
import { annotatable, schema, tomlName } from '../config/schema.ts'
import { noLimits } from './limits.ts'
import { sandboxConfig } from './sandbox-config.ts'

const node = (enable: readonly string[], toml = '') => configFrom([{ path: 'x', text: `[annotations]\nenable = ${JSON.stringify(enable)}\n${toml}` }])
const applied = (enable: readonly string[], annotations: Record<string, string>, toml = '') =>
  sandboxConfig(node(enable, toml), Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`io.kata-ts.config.${key}`, value])), { ...noLimits, memoryBytes: 1 << 30 }).config

beforeEach(() => {
  fake.reset()
  fake.put('/proc/meminfo', 'MemTotal:       4194304 kB\n')
  fake.put('/sys/devices/system/cpu/online', '0-1\n')
})

describe('annotations', () => {
  it('may all name keys that there are', () => {
    const keys = Object.entries(schema).flatMap(([section, entries]) => Object.keys(entries).map(key => `${section}.${tomlName(key)}`))
    expect(annotatable.filter(key => !keys.includes(key))).toEqual([])
  })

  it('set what the operator allows, with the type that the key has', () => {
    const config = applied([...annotatable], { 'hypervisor.memory_mib': '512', 'hypervisor.vcpus': '2', 'hypervisor.machine': 'q35', 'debug.console': 'true', 'log.level': 'debug' })
    expect(config.hypervisor).toMatchObject({ memoryMib: 512, vcpus: 2, machine: 'q35' })
    expect(config).toMatchObject({ debug: { console: true }, log: { level: 'debug' } })
  })

  it('leave a size that they do not name to the limits', () => {
    expect(applied(['hypervisor.vcpus'], { 'hypervisor.vcpus': '2' }).hypervisor).toMatchObject({ memoryMib: 1136, vcpus: 2 })
  })

  it('are nothing to us under other names', () => {
    expect(sandboxConfig(node([]), { 'io.katacontainers.config.hypervisor.path': '/bin/sh' }, noLimits).config.hypervisor.path).toBe('qemu-system-x86_64')
  })

  it.each([
    [[], 'hypervisor.vcpus', '2', /not allowed on this node; remove it, or have the operator add "hypervisor.vcpus" to annotations.enable/],
    [['log.level'], 'hypervisor.vcpus', '2', /not allowed on this node/],
    [[...annotatable], 'hypervisor.path', '/bin/sh', /hypervisor.path cannot be set by an annotation/],
    [[...annotatable], 'hypervisor.vcpu', '2', /did you mean io.kata-ts.config.hypervisor.vcpus\?/],
    [[...annotatable], 'hypervisor.vcpus', 'many', /"many" is not allowed; it must be a whole number from 1 to 255/],
    [[...annotatable], 'hypervisor.vcpus', '3', /3 is more than this node allows, which is 2; ask for less/],
    [[...annotatable], 'hypervisor.memory_mib', '8192', /8192 is more than this node allows, which is 4096/],
    [[...annotatable], 'hypervisor.memory_mib', '1', /it must be a whole number from 64/],
  ])('are refused where %j allow %s = %s: %s', (enable, key, value, message) => {
    expect(() => applied(enable, { [key]: value })).toThrow(message)
  })

  it('leave the machine to what the sandbox is', () => {
    const machine = (annotations: Record<string, string>, isPod?: boolean) => sandboxConfig(node([]), annotations, noLimits, isPod).config.hypervisor.machine
    expect([machine({}), machine({ 'io.kubernetes.cri.container-type': 'sandbox' }), machine({}, true)]).toEqual(['microvm', 'q35', 'q35'])
    const small = { ...noLimits, memoryBytes: 1 << 20 }
    expect([false, true].map(isPod => sandboxConfig(node([]), {}, small, isPod).config.hypervisor.memoryMib)).toEqual([256, 98])
    expect(sandboxConfig(node([], '[hypervisor]\nmachine = "microvm"\n'), {}, noLimits, true).config.hypervisor.machine).toBe('microvm')
  })

  it('never pass the operator\'s own maximum', () => {
    expect(() => applied([...annotatable], { 'hypervisor.memory_mib': '1024' }, '[hypervisor]\nmax_memory_mib = 512\n')).toThrow('more than this node allows, which is 512')
  })
})
