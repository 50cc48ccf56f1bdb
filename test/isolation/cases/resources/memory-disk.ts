import type { Spec } from '../../../e2e/spec.ts'
import { contained, type Attack } from '../../attack.ts'
import { useUp } from '../../neighbourhood.ts'
import type { Site } from '../../site.ts'

/** A small file system of the host's that both containers see: what a node's disk is to its pods. */
function shareSmallDisk(site: Site, options: string): (spec: Spec) => void {
  const disk = `${site.directory}/disk`
  site.host.shell(`mkdir ${disk}; mount -t tmpfs -o ${options} isolation ${disk}`)
  return (spec) => { spec.mounts.push({ destination: '/disk', type: 'bind', source: disk, options: ['rbind', 'rw'] }) }
}

/** What a container has in memory by itself: /dev/shm and /run, each with a size. */
export const attack: Attack = {
  id: 'disk-full',
  title: 'a container fills its file systems in memory with data and with inodes',
  family: 'resources',
  leak: 'the pod\'s other containers, the agent, and the node\'s memory',
  bound: 'container',
  control: { weak: 'runc, attacker and neighbour on one small volume without quotas', reach: 'guest' },
  async run(site) {
    if (site.weak) return await useUp(site, ['fill', '/disk'], { spec: shareSmallDisk(site, 'size=1m'), ask: ['/attack/exhaust', 'try-write', '/disk'] })
    const told: string[] = []
    // /dev/shm belongs to all containers of the pod, /run to each.
    for (const [what, path] of [['fill', '/dev/shm'], ['inodes', '/run']] as const) {
      const verdict = await useUp(site, [what, path], { ask: ['/attack/exhaust', 'try-write', '/run'] })
      if (verdict.reach !== 'container') return { ...verdict, evidence: `${what} ${path}: ${verdict.evidence}` }
      told.push(`${what} ${path}: ${verdict.evidence}`)
    }
    return contained(told.join(' / '))
  },
}
