import { Fault } from '../../native/ts/fault.ts'
import { readText } from '../../native/ts/file.ts'
import type { LinuxResources } from '../../protocol/oci/resources.ts'
import { parseResources } from '../../protocol/oci/parse.ts'
import { type Options, parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'
import { bytesOf } from './bytes.ts'
import { readStdin } from './stdin.ts'

const updateOptions = {
  'resources': 'text', 'blkio-weight': 'text', 'cpu-period': 'text', 'cpu-quota': 'text', 'cpu-share': 'text', 'cpu-rt-period': 'text', 'cpu-rt-runtime': 'text',
  'cpu-burst': 'text', 'cpu-idle': 'text', 'cpuset-cpus': 'text', 'cpuset-mems': 'text', 'kernel-memory': 'text', 'kernel-memory-tcp': 'text', 'memory': 'text', 'memory-reservation': 'text', 'memory-swap': 'text',
  'pids-limit': 'text', 'l3-cache-schema': 'text', 'mem-bw-schema': 'text',
} as const

/** `update [--resources FILE | options] ID`: `-` reads stdin. */
export async function update(args: readonly string[], { store, warn }: Context): Promise<number> {
  const { options, rest } = parseOptions(args, updateOptions, { r: 'resources' })
  const container = store.load(words(rest, 'update', 'id').id, warn)
  await container.update(options.resources === undefined ? written(options) : parseResources(options.resources === '-' ? readStdin() : readText(options.resources)))
  return 0
}

/** The limits that the command line names; those it does not stay. */
export function written(options: Options<typeof updateOptions>): LinuxResources {
  if (options['l3-cache-schema'] !== undefined || options['mem-bw-schema'] !== undefined) throw new Fault('Intel RDT is not supported', { fix: 'leave --l3-cache-schema and --mem-bw-schema out' })
  const number = (name: keyof typeof updateOptions) => {
    const text = options[name]
    if (text === undefined || text === '') return undefined
    if (!/^[+-]?\d+$/.test(text)) throw new Fault(`invalid value ${JSON.stringify(text)} for --${name}`, { fix: 'it is a whole number' })
    return Number(text)
  }
  const cpu = {
    shares: number('cpu-share'), quota: number('cpu-quota'), period: number('cpu-period'), realtimeRuntime: number('cpu-rt-runtime'), realtimePeriod: number('cpu-rt-period'), burst: number('cpu-burst'), idle: number('cpu-idle'),
    cpus: options['cpuset-cpus'], mems: options['cpuset-mems'],
  }
  const size = (name: keyof typeof updateOptions) => {
    const text = options[name]
    const bytes = text === undefined || text === '' ? undefined : bytesOf(text)
    if (text && bytes === undefined) throw new Fault(`invalid value ${JSON.stringify(text)} for --${name}`, { fix: 'it is a number of bytes, as in 67108864, 64M or 1g' })
    return bytes
  }
  const memory = { limit: size('memory'), reservation: size('memory-reservation'), swap: size('memory-swap'), kernel: size('kernel-memory'), kernelTCP: size('kernel-memory-tcp') }
  const weight = number('blkio-weight')
  const pids = number('pids-limit')
  const asked = { ...some('cpu', cpu), ...some('memory', memory), ...(weight === undefined ? {} : { blockIO: { weight } }), ...(pids === undefined ? {} : { pids: { limit: pids } }) }
  return parseResources(JSON.stringify(asked))
}

function some(name: string, values: Record<string, unknown>): Record<string, unknown> {
  const given = Object.entries(values).filter(([, value]) => value !== undefined)
  return given.length === 0 ? {} : { [name]: Object.fromEntries(given) }
}
