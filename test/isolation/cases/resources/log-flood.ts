import { closeSync, constants, openSync, readFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import { contained, escaped, reachedGuest, type Attack } from '../../attack.ts'
import { stackProcesses } from '../../../e2e/leaks.ts'
import type { Site } from '../../site.ts'

/** What a shim may hold for what nobody reads: the promise of README. */
const shimLimitKib = 64 * 1024

/** Anonymous memory of the biggest shim, in KiB; only a private stack's shims are known to be of this case. */
function biggestShim(site: Site): number | undefined {
  const { stack } = site.host
  if (stack === undefined) return undefined
  const sizes = stackProcesses(stack).map((pid) => {
    try {
      if (!readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('containerd-shim')) return 0
      return Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
    } catch { return 0 } // it ended meanwhile
  })
  return Math.max(0, ...sizes)
}

export const attack: Attack = {
  id: 'log-flood',
  title: 'a container writes without end to an output that nobody reads',
  family: 'resources',
  leak: 'the shim\'s memory, and the streams of the other containers',
  bound: 'container',
  control: { none: 'a shim that keeps what nobody reads would have to be built for it; runc\'s lets the writer wait, as ours' },
  async run(site) {
    const pod = await site.pod()
    const near = await pod.start()
    const flood = await site.prepare(pod.member({ readLater: true, args: ['sh', '-c', 'exec 3>/started; yes "$(head -c 4000 /dev/zero | tr "\\0" x)" & yes error >&2 & echo both >&3; wait'] }))
    // Held open, or runc's shim would wait for a reader, and never read.
    for (const path of [flood.io.stdout, flood.io.stderr]) {
      const held = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
      onTestFinished(() => { closeSync(held) })
    }
    await flood.createTask()
    await flood.start()
    const words: string[] = []
    for (let round = 0; round < 5; round++) words.push((await near.exec(['sh', '-c', `seq 1 2000 | tail -n 1; echo ${round}`])).stdout.replaceAll('\n', ' ').trim())
    const shim = biggestShim(site)
    const right = words.every((word, round) => word === `2000 ${round}`)
    if (shim !== undefined && shim > shimLimitKib) return escaped(`a shim holds ${shim} KiB of the flood`)
    if (!right) return reachedGuest(`the neighbour's output came as: ${words.join(' / ')}`)
    flood.io.read()
    const first = await flood.output.until(/x{4000}\n/).then(() => 'whole', () => 'lost')
    return contained(`five execs of the neighbour have all their output; the biggest shim holds ${shim ?? 'an unknown number of'} KiB; the flood's first line is ${first}`)
  },
}
