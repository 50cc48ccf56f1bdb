import { SIGTERM, signalNumber } from '../../native/ts/constants/signal.ts'
import { Fault } from '../../native/ts/fault.ts'
import { parseOptions } from './arguments.ts'
import type { Context } from './context.ts'

/** `kill [--all] ID [SIGNAL]`: SIGTERM when none is named. */
export async function kill(args: readonly string[], { store, warn }: Context): Promise<number> {
  const { options, rest } = parseOptions(args, { all: 'flag' }, { a: 'all' })
  const [id, name, ...more] = rest
  if (id === undefined || more.length > 0) throw new Fault('kata-ts: "kill" requires 1 or 2 arguments', { fix: 'kill takes <id> [<signal>]' })
  // 0 is no signal: it asks whether one could be sent (kill(2)).
  const signal = name === undefined ? SIGTERM : name === '0' ? 0 : signalNumber(name)
  if (signal === undefined) throw new Fault(`unknown signal ${JSON.stringify(name)}`)
  const container = store.load(id, warn)
  // Processes may outlive init when the container has no pid namespace of its own.
  if (!options.all && container.status() === 'stopped') throw new Fault('container not running')
  container.kill(signal, options.all)
  return 0
}
