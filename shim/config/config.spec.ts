import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { makeDirectories } from '../../native/ts/file.ts'
import { configFrom, loadConfig, type Layer } from './config.ts'
import { schema, tomlName } from './schema.ts'

const layer = (text: string, path = '/etc/kata-ts/config.toml'): Layer => ({ path, text })

describe('configFrom', () => {
  it('is the defaults where nothing is configured', () => {
    const config = configFrom([])
    expect(config.hypervisor).toMatchObject({ type: 'qemu', machine: 'auto', memoryMib: 256 })
    for (const [section, keys] of Object.entries(schema)) {
      for (const [name, key] of Object.entries(keys)) {
        expect(key.read(key.fallback), `${section}.${tomlName(name)} allows its own default`).toBe(key.fallback)
      }
    }
  })

  it('lets a later layer win key by key', () => {
    const config = configFrom([layer('[hypervisor]\nmemory_mib = 512\nmachine = "q35"\n'), layer('[hypervisor]\nmemory_mib = 128\n')])
    expect(config.hypervisor).toMatchObject({ memoryMib: 128, machine: 'q35' })
  })

  it.each([
    ['[hypervisor]\nmemory_mb = 512', '/etc/kata-ts/config.toml: unknown key hypervisor.memory_mb; did you mean hypervisor.memory_mib?'],
    ['[hypervizor]\nmemory_mib = 512', '/etc/kata-ts/config.toml: unknown section [hypervizor]; did you mean [hypervisor]?'],
    ['[debug]\nzzzzzzzzzz = 1', '/etc/kata-ts/config.toml: unknown key debug.zzzzzzzzzz; known are debug.console'],
    ['level = "info"', '/etc/kata-ts/config.toml: unknown section [level]'],
    ['[__proto__]\nx = 1', 'unknown section [__proto__]'],
    ['[log]\nconstructor = 1', 'unknown key log.constructor'],
    ['log = 1', '/etc/kata-ts/config.toml: log is no section; write [log] on a line of its own'],
    ['[hypervisor]\nmemory_mib = 8', '/etc/kata-ts/config.toml: hypervisor.memory_mib = 8 is not allowed; it must be a whole number from 64 to 1048576'],
    ['[hypervisor]\nmemory_mib = "512"', 'hypervisor.memory_mib = "512" is not allowed'],
    ['[hypervisor]\nvcpus = 1.5', 'hypervisor.vcpus = 1.5 is not allowed'],
    ['[hypervisor]\nmachine = "pc"', 'hypervisor.machine = "pc" is not allowed; it must be "auto", "microvm", "q35"'],
    ['[guest]\nkernel = "vmlinux"', 'guest.kernel = "vmlinux" is not allowed; it must be an absolute path'],
    ['[guest]\nkernel = "/a,b"', 'guest.kernel = "/a,b" is not allowed'],
    ['[guest]\nkernel_params = "a\\nb"', 'guest.kernel_params = "a\\nb" is not allowed'],
    ['[vsock]\ndaemon = "../x"', 'vsock.daemon = "../x" is not allowed'],
    ['[log]\nlevel = 1979-05-27T07:32:00Z', 'log.level = "1979-05-27'],
    ['[log\n', '/etc/kata-ts/config.toml:1:'],
    ['[log]\nlevel = "info"\nlevel = "warn"', '/etc/kata-ts/config.toml:3:1: not valid TOML'],
  ])('refuses %j and says why', (text, message) => {
    expect(() => configFrom([layer(text)])).toThrow(message)
  })

  it('gives the last layer that names a key, whatever the layers', () => {
    const values = fc.record({
      memory_mib: fc.integer({ min: 64, max: 4096 }), vcpus: fc.integer({ min: 1, max: 255 }),
      machine: fc.constantFrom('microvm', 'q35'), sandbox: fc.boolean(), kernel_params: fc.string({ maxLength: 20 }).filter(text => !/[\u0000-\u001f\u007f]/.test(text)),
    }, { requiredKeys: [] })
    fc.assert(fc.property(fc.array(values, { maxLength: 5 }), layers => {
      const config = configFrom(layers.map(({ kernel_params, ...rest }) => layer([
        '[hypervisor]', ...Object.entries(rest).map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
        ...(kernel_params === undefined ? [] : ['[guest]', `kernel_params = ${JSON.stringify(kernel_params)}`]),
      ].join('\n'))))
      const last = Object.assign({}, ...layers) as Partial<(typeof layers)[number]> // Object.assign of unknown many gives any
      expect(config.hypervisor.memoryMib).toBe(last.memory_mib ?? 256)
      expect(config.hypervisor.vcpus).toBe(last.vcpus ?? 1)
      expect(config.hypervisor.machine).toBe(last.machine ?? 'auto')
      expect(config.hypervisor.sandbox).toBe(last.sandbox ?? true)
      expect(config.guest.kernelParams).toBe(last.kernel_params ?? '')
    }))
  })

  it('answers any text with a configuration or one line of error that names the file', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('[', ']', '"', '=', '\n', 'a', 'l', 'o', 'g', '.', '{', '1', ' ') })), text => {
      try {
        configFrom([layer(text, '/x.toml')])
      } catch (error) {
        expect((error as Error).message).toMatch(/^\/x\.toml[^\n]*$/)
      }
    }))
  })
})

describe('loadConfig', () => {
  beforeEach(() => fake.reset())

  it('reads the file, then config.d in lexical order, and nothing else there', () => {
    fake.put('/etc/kata-ts/config.toml', '[hypervisor]\nmemory_mib = 100\nvcpus = 2')
    fake.put('/etc/kata-ts/config.d/20-b.toml', '[hypervisor]\nmemory_mib = 300')
    fake.put('/etc/kata-ts/config.d/10-a.toml', '[hypervisor]\nmemory_mib = 200')
    fake.put('/etc/kata-ts/config.d/30-c.toml.bak', 'not read')
    fake.put('/etc/kata-ts/config.d/.40-d.toml', 'not read')
    expect(loadConfig().hypervisor).toMatchObject({ memoryMib: 300, vcpus: 2 })
  })

  it('is the defaults without any file', () => expect(loadConfig()).toEqual(configFrom([])))

  it('puts what the installed tree says of itself below the administrator\'s file', () => {
    fake.put('/opt/kata-ts/share/kata-ts/config.toml', '[hypervisor]\nmemory_mib = 100\nvcpus = 2')
    fake.put('/etc/kata-ts/config.toml', '[hypervisor]\nvcpus = 3')
    expect(loadConfig(undefined, '/opt/kata-ts/share/kata-ts/config.toml').hypervisor).toMatchObject({ memoryMib: 100, vcpus: 3 })
  })

  it('reads the file that KATA_TS_CONFIG names, with the config.d beside it', () => {
    fake.put('/opt/k.toml', '[hypervisor]\nvcpus = 3')
    fake.put('/opt/config.d/a.toml', '[hypervisor]\nmemory_mib = 99')
    fake.put('/etc/kata-ts/config.toml', 'not read')
    expect(loadConfig('/opt/k.toml').hypervisor).toMatchObject({ vcpus: 3, memoryMib: 99 })
  })

  it('refuses a named file that is missing or not absolute', () => {
    makeDirectories('/opt')
    expect(() => loadConfig('/opt/none.toml')).toThrow('configuration /opt/none.toml does not exist; correct or unset KATA_TS_CONFIG')
    expect(() => loadConfig('k.toml')).toThrow('no absolute path')
  })
})
