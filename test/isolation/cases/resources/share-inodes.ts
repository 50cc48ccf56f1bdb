import { isControl, type Attack } from '../../attack.ts'
import { useUp } from '../../neighbourhood.ts'
import type { Site } from '../../site.ts'

/** Files of the host's, of which the file server has a descriptor for each that the guest knows. */
const inodes = 3000

/** A file system of the host's with few inodes, as a volume of the attacker's. */
function smallVolume(site: Site): { destination: string; type: string; source: string; options: string[] } {
  const source = `${site.directory}/volume`
  site.host.shell(`mkdir -p ${source}; mountpoint -q ${source} || mount -t tmpfs -o nr_inodes=${inodes},size=32m isolation ${source}`)
  return { destination: '/volume', type: 'bind', source, options: ['rbind', 'rw'] }
}

export const attack: Attack = {
  id: 'share-inodes',
  title: 'a container makes files on a volume until the host\'s file system has no more inodes',
  family: 'resources',
  leak: 'the file server of the pod, and with it the root file systems of the other containers; the node\'s inodes',
  bound: 'container',
  control: { weak: 'runc, attacker and neighbour on that volume, which has one count for both', reach: 'guest' },
  run(site) {
    const volume = smallVolume(site)
    const mount = (spec: { mounts: object[] }): void => { spec.mounts.push(volume) }
    // The neighbour makes a file in its own root, on the same share by the same server.
    return useUp(site, ['inodes', '/volume'], {
      ...(site.weak ? { spec: mount } : { attackerSpec: mount }),
      ask: ['/attack/exhaust', 'try-write', site.weak ? '/volume' : '/attack'],
      ...(isControl(site.runtime) ? {} : { askFar: ['/attack/exhaust', 'try-write', '/attack'] }),
    })
  },
}
