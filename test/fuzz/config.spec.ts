/** The configuration file: any text is read, or refused with a Fault that names the file and fits on a line. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fault } from '../../native/ts/fault.ts'
import { configFrom } from '../../shim/config/config.ts'
import { schema, tomlName } from '../../shim/config/schema.ts'
import { mutatedText } from './arbitraries.ts'
import { corpus, textOf } from './corpus.ts'
import { settings } from './settings.ts'

const path = '/etc/kata-ts/config.d/50-some.toml'
const names = Object.entries(schema).flatMap(([section, keys]) => Object.keys(keys).map(key => [section, tomlName(key)] as const))
const whole = Object.entries(schema).map(([section, keys]) => `[${section}]\n${Object.entries(keys).map(([name, key]) => `${tomlName(name)} = ${JSON.stringify(key.fallback)}`).join('\n')}\n`).join('\n')
const value = fc.oneof(
  fc.constantFrom('true', 'false', '0', '-1', '1', '256', '99999999999999999999', '0x10', '1e3', 'nan', 'inf', '""', '"qemu"', '"/a"', '"a,b"', '[]', '["x"]', '{}', '{ a = 1 }', '1979-05-27', '"""\nx"""', '"\\u0000"'),
  fc.json({ maxDepth: 1 }),
)

function judge(text: string): ReturnType<typeof configFrom> | undefined {
  try {
    return configFrom([{ path, text }])
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    expect(error.message).toContain(path)
    expect(error.message).not.toMatch(/[\n\r]/)
    expect(error.message.length).toBeLessThan(2_000)
    return undefined
  }
}

describe('the configuration', () => {
  it('has every key when it is written out, and is the defaults', () => {
    expect(judge(whole)).toEqual(configFrom([]))
  })

  it('is read, or refused with the key\'s name, whatever a key is set to', () => {
    fc.assert(fc.property(fc.constantFrom(...names), value, ([section, key], text) => {
      try {
        const config: Record<string, object> = configFrom([{ path, text: `[${section}]\n${key} = ${text}\n` }])
        expect(Object.keys(config)).toEqual(Object.keys(schema))
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        // What TOML itself refuses is told by its line.
        expect(error.message).toMatch(new RegExp(`${section}\\.${key}\\b|:2:|:\\d+:\\d+: `))
      }
    }), settings)
  })

  it('survives text that was spoilt', () => {
    fc.assert(fc.property(fc.oneof(mutatedText([whole], '[]=".\n#{},'), fc.string(), fc.string({ unit: 'binary' })), text => { judge(text) }), settings)
  })

  it.each(corpus('config'))('is judged: $why', kept => { judge(textOf(kept)) })
})
