import { createHash } from 'node:crypto'
import { closeSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { contained, escaped, type Attack } from '../../attack.ts'
import { Assault } from '../../hostile-agent/assault.ts'
import { notForOthers } from '../../hostile-agent/no-agent.ts'
import { withLong } from '../../options.ts'
import { fuzzGuarded, fuzzNaive, type Fuzzed, type Malformed } from '../../raw-fuse/fuzz.ts'
import { prepare } from '../../raw-fuse/site.ts'
import type { Site } from '../../site.ts'

const many = withLong() ? 5 : 1
/** Seeds of rounds. Most end with the daemon: it takes a wrong chain, or a request that it had not thought of, for its own mistake. */
const rounds: readonly { malformed: Malformed; seeds: readonly number[]; count: number }[] = [
  { malformed: 'messages', seeds: Array.from({ length: 20 * many }, (_, at) => at + 1), count: 4000 },
  { malformed: 'chains', seeds: Array.from({ length: 30 * many }, (_, at) => 1000 + at), count: 200 },
]

/** Enough of a file to see a change; a weak server makes sparse ones of any size. */
function beginning(path: string): Buffer {
  const buffer = Buffer.alloc(64 * 1024)
  const fd = openSync(path, 'r')
  const length = readSync(fd, buffer)
  closeSync(fd)
  return buffer.subarray(0, length)
}

/** All that the host has beside what the guest may write: names, modes, owners, sizes and contents. */
function around(site: Site): string {
  const hash = createHash('sha256')
  const take = (path: string): void => {
    const { mode, uid, gid, size, rdev, nlink } = lstatSync(path)
    hash.update(JSON.stringify([path, mode, uid, gid, rdev, nlink]))
    if ((mode & 0o170000) === 0o040000) for (const name of readdirSync(path).sort()) take(`${path}/${name}`)
    else if ((mode & 0o170000) === 0o100000) hash.update(`${size} `).update(beginning(path))
  }
  for (const name of ['outside', 'readonly']) take(`${site.directory}/${name}`)
  return hash.update(readdirSync(site.directory).filter((name) => name !== 'state' && name !== 'share').sort().join('/')).digest('hex')
}

/** The same chains by way of QEMU: PID 1 of a real VM drives the queue. The end of virtiofsd is the VM's, and the shim tells it. */
async function fromGuest(site: Site): Promise<{ told: string; wrong: string[] }> {
  const assault = await Assault.begin(site)
  await assault.runInGuests(['share-queues'])
  const [{ id = '', status } = {}] = assault.outcomes
  const told = /virtiofsd (exited with status \d+|was killed by SIG[A-Z]+)/.exec(assault.logOf(id).join('\n'))?.[0]
  return { told: `${told}, exit status ${status}`, wrong: [...await assault.violations(), ...(told === undefined ? ['the shim does not say that virtiofsd has ended'] : [])] }
}

export const attack: Attack = {
  id: 'fuse-malformed',
  title: 'raw FUSE by chance: wrong lengths, opcodes, nodes, handles, names; descriptor chains with loops, wrong sizes and addresses outside of the guest',
  family: 'guest',
  leak: "files of the host's outside of the share; virtiofsd itself, and then the shim that does not notice",
  bound: 'guest',
  notFor: notForOthers,
  control: {
    weak: 'a file server that believes lengths, handles and names',
    run: (site) => {
      prepare(site)
      const before = around(site)
      const { made, leaks } = fuzzNaive(site, 'messages', 1, 4000)
      const changed = around(site) !== before
      const what = `${made} messages: ${leaks} answers with a secret of the host's, files beside the share ${changed ? 'changed' : 'are the same'}`
      return Promise.resolve(leaks > 0 || changed ? escaped(what) : contained(what))
    },
  },
  async run(site) {
    prepare(site)
    const before = around(site)
    const found: string[] = []
    const total: Fuzzed & { ends: string[] } = { made: 0, answered: 0, leaks: 0, gone: false, ends: [] }
    for (const { malformed, seeds, count } of rounds) {
      for (const seed of seeds) {
        const { made, answered, leaks, gone, report } = fuzzGuarded(site, malformed, seed, count)
        total.made += made
        total.answered += answered
        if (!report.daemonLived) total.ends.push(report.status.replace(/ \(pid \d+\)/, ''))
        const wrong = [
          ...(leaks > 0 ? [`${leaks} answers hold a secret of the host's`] : []),
          ...(around(site) !== before ? ['something of the host beside the share is another'] : []),
          ...(gone && report.daemonLived ? ['virtiofsd neither answers nor ends'] : []),
          ...(report.error === undefined ? [] : [`the next container could not be made or removed: ${report.error}`]),
          ...((report.strangers?.length ?? 0) > 0 ? [`mounted outside of the share: ${report.strangers?.join(' ')}`] : []),
          ...(report.left.length > 0 ? [`mounts left: ${report.left.join(' ')}`] : []),
        ]
        found.push(...wrong.map((each) => `${malformed} of seed ${seed}: ${each}`))
      }
    }
    if (total.answered === 0) throw new Error('not one answer: the requests did not arrive')
    const ends = [...new Set(total.ends)].map((end) => `${total.ends.filter((each) => each === end).length} times ${end}`)
    const what = `${total.made} malformed inputs, ${total.answered} answers, nothing of the host's changed or told; ${ends.join(', ') || 'virtiofsd lives'}`
    if (site.host.stack === undefined) return found.length > 0 ? escaped(found.join('; ')) : contained(what)
    const { told, wrong } = await fromGuest(site)
    return found.length + wrong.length > 0 ? escaped([...found, ...wrong].join('; ')) : contained(`${what}; from a guest of its own: ${told}`)
  },
}
