import { Fault } from '../../native/ts/fault.ts'

/** Options of a verb: `text` takes a value, `list` may be given several times. */
export type OptionKinds = Readonly<Record<string, 'flag' | 'text' | 'list'>>

type Value<K> = K extends 'flag' ? boolean : K extends 'list' ? string[] : string | undefined
export type Options<K extends OptionKinds> = { [N in keyof K]: Value<K[N]> }

export interface Parsed<K extends OptionKinds> {
  options: Options<K>
  /** What is no option, and everything after `--` or after the first such word with `stopAtWord`. */
  rest: string[]
}

/**
 * Reads options as Go's command lines write them: `--name value`, `--name=value`, one dash or two, flags as
 * `--name` or `--name=false`. `aliases`: short names. With `stopAtWord`, options end at the first word.
 * Throws Fault for an unknown one.
 */
export function parseOptions<K extends OptionKinds>(args: readonly string[], kinds: K, aliases: Readonly<Record<string, keyof K & string>> = {}, stopAtWord = false): Parsed<K> {
  const found: Record<string, boolean | string | string[] | undefined> = {}
  for (const [name, kind] of Object.entries(kinds)) found[name] = kind === 'flag' ? false : kind === 'list' ? [] : undefined
  const rest: string[] = []
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? ''
    if (arg === '--') {
      rest.push(...args.slice(at + 1))
      break
    }
    if (!arg.startsWith('-') || arg === '-') {
      if (stopAtWord) {
        rest.push(...args.slice(at))
        break
      }
      rest.push(arg)
      continue
    }
    const [, written = '', , inline] = /^--?([^=]+)(=(.*))?$/s.exec(arg) ?? []
    const name = aliases[written] ?? written
    const kind = kinds[name]
    if (kind === undefined) throw new Fault(`flag provided but not defined: ${arg.replace(/^--?([^=]*).*$/s, '-$1')}`, { fix: `known are: ${Object.keys(kinds).map(known => `--${known}`).join(', ')}` })
    if (kind === 'flag') {
      if (inline !== undefined && !['true', 'false', '1', '0', 't', 'f', 'T', 'F'].includes(inline)) throw new Fault(`invalid boolean value ${JSON.stringify(inline)} for -${name}`)
      found[name] = inline === undefined || /^[t1]/i.test(inline)
      continue
    }
    const value = inline ?? args[++at]
    if (value === undefined) throw new Fault(`flag needs an argument: ${arg}`)
    if (kind === 'list') (found[name] as string[]).push(value) // made a list above
    else found[name] = value
  }
  return { options: found as Options<K>, rest } // filled by kind above
}

/** The words a verb takes, by name; throws Fault when there are fewer or more. */
export function words<N extends string>(rest: readonly string[], verb: string, ...names: N[]): Record<N, string> {
  if (rest.length !== names.length) throw new Fault(`kata-ts: "${verb}" requires exactly ${names.length} argument(s)`, { fix: `it takes ${names.map(name => `<${name}>`).join(' ')}, not ${rest.length} words` })
  return Object.fromEntries(names.map((name, index) => [name, rest[index] ?? ''])) as Record<N, string> // the names are the keys
}
