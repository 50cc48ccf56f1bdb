import { contained, escaped, reachedGuest, type Attack } from '../../attack.ts'
import { install } from '../../programs.ts'

export const attack: Attack = {
  id: 'CVE-2022-0847',
  title: 'Dirty Pipe and Dirty COW (CVE-2016-5195) against a read-only volume',
  family: 'container',
  leak: 'every file that can be read, the host\'s on a shared kernel',
  bound: 'guest',
  control: { none: 'both kernels of this machine have the fixes, and a kernel\'s bug cannot be put back' },
  async run(site) {
    site.plant()
    const { stdout, stderr, refusal } = await site.attempt({
      args: ['/attack/dirty', '/volume/canary'], rootfs: (layer) => install(layer, 'dirty'),
      spec: (spec) => { spec.mounts.push({ destination: '/volume', type: 'bind', source: site.directory, options: ['rbind', 'ro'] }) },
    })
    if (site.read('canary') !== `${site.secret}\n`) return escaped('the host\'s file was changed')
    if (!stdout.includes(site.secret)) return /dirty/.test(stdout) ? reachedGuest('only the guest\'s copy of the file was changed') : contained(refusal ?? stderr)
    return contained('the file is as it was, in the container and on the host')
  },
}
