import { closeSync, constants, openSync, statSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import { contained, escaped, reachedGuest, type Attack, type Verdict } from '../../attack.ts'
import { hostFigures } from '../../host-figures.ts'
import type { Site } from '../../site.ts'

/** What the host may hold of what nobody reads: README's promise for a shim's memory, and the same for a file. */
const limitKib = 64 * 1024
const execs = 5
/** Where a file has no limit, it has more than that long before. */
const execsAtMost = 200

const flooding = ['sh', '-c', 'exec 3>/started; yes "$(head -c 4000 /dev/zero | tr "\\0" x)" & yes error >&2 & echo both >&3; wait']

export const attack: Attack = {
  id: 'log-flood',
  title: 'a container writes without end to an output that nobody reads',
  family: 'resources',
  leak: 'the shim\'s memory or the node\'s disk, and the streams of the other containers',
  bound: 'container',
  control: { weak: 'runc whose shim keeps it all, in a file without a limit (a log of file://)' },
  async run(site) {
    const pod = await site.pod()
    const near = await pod.start()
    const kept = `${site.directory}/log`
    const flood = await site.prepare(pod.member({ args: flooding, ...(site.weak ? { logUri: `file://${kept}` } : { readLater: true }) }))
    if (!site.weak) {
      // Held open, or runc's shim would wait for a reader, and never read.
      for (const path of [flood.io.stdout, flood.io.stderr]) {
        const held = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
        onTestFinished(() => { closeSync(held) })
      }
    }
    await flood.createTask()
    const before = biggestKib(pod.pid)
    await flood.start()
    const words: string[] = []
    const fileKib = (): number => Math.round((statSync(kept, { throwIfNoEntry: false })?.size ?? 0) / 1024)
    for (let round = 0; round < (site.weak ? execsAtMost : execs) && fileKib() <= limitKib; round++) {
      words.push((await near.exec(['sh', '-c', `seq 1 2000 | tail -n 1; echo ${round}`])).stdout.replaceAll('\n', ' ').trim())
    }
    const verdict = judge(words, before, biggestKib(pod.pid), fileKib())
    if (verdict.reach !== 'container' || site.weak) return verdict
    flood.io.read()
    const first = await flood.output.until(/x{4000}\n/).then(() => 'whole', () => 'lost')
    return contained(`${verdict.evidence}; the flood's first line is ${first}`)
  },
}

/** Anonymous memory of the pod's shim and its daemons, the biggest of them; the VMM's is the guest's business. */
function biggestKib(pid: number): number {
  return Math.max(0, ...hostFigures(pid, []).members.filter(({ name }) => /shim|vsock|virtiofsd/.test(name)).map(({ anonKib }) => anonKib))
}

function judge(words: readonly string[], before: number, after: number, fileKib: number): Verdict {
  if (after > limitKib || fileKib > limitKib) return escaped(`the host holds ${Math.max(after, fileKib)} KiB of the flood after ${words.length} execs, and no limit in sight`)
  if (!words.every((word, round) => word === `2000 ${round}`)) return reachedGuest(`the neighbour's output came as: ${words.join(' / ')}`)
  return contained(`${words.length} execs of the neighbour have all their output; the biggest of shim and daemons holds ${after} KiB, ${before} before`)
}
