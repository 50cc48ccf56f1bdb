import * as sys from 'native:sys'
import { Fault } from '../../native/ts/fault.ts'
import { whenReadable } from '../../native/ts/readiness.ts'
import type { Container } from '../../agent/container/container.ts'
import { parseOptions, words } from './arguments.ts'
import type { Context } from './context.ts'
import { durationMs } from './duration.ts'
import { statsDocument } from './stats-document.ts'

/** `events [--interval 5s] [--stats] ID`: the figures once, or again and again with each OOM kill until the container ends. */
export async function events(args: readonly string[], { store, warn, print }: Context): Promise<number> {
  const { options, rest } = parseOptions(args, { stats: 'flag', interval: 'text' })
  const { id } = words(rest, 'events', 'id')
  const intervalMs = durationMs(options.interval ?? '5s')
  if (intervalMs <= 0) throw new Fault('duration interval must be greater than 0')
  const container = store.load(id, warn)
  if (container.status() === 'stopped') throw new Fault(`container with id ${id} is not running`)
  const tell = () => print(JSON.stringify({ type: 'stats', id, data: statsDocument(container.stats(), container.cgroup.directories) }))
  tell()
  if (!options.stats) await follow(container, intervalMs, tell, () => print(JSON.stringify({ type: 'oom', id })))
  return 0
}

async function follow(container: Container, intervalMs: number, tell: () => void, oom: () => void): Promise<void> {
  const endWatch = container.onOom(oom)
  let timer = 0
  const again = () => {
    timer = sys.setTimer(intervalMs, () => {
      if (container.init.alive()) tell()
      again()
    })
  }
  again()
  await whenReadable(container.init.pidfd)
  sys.clearTimer(timer)
  endWatch()
}
