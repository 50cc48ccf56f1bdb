import { contained, isControl, reachedGuest, type Attack } from '../../attack.ts'
import { install } from '../../programs.ts'
import { addCapabilities } from '../../spec-changes.ts'

export const attack: Attack = {
  id: 'CVE-2022-0185',
  title: 'heap overflow by fsconfig(2) of a container with CAP_SYS_ADMIN',
  family: 'container',
  leak: 'the kernel',
  bound: 'guest',
  control: { none: 'the kernels of this machine have the fix, and where one has not the control would crash the host' },
  notFor: (runtime) => (isControl(runtime) ? 'would crash a host whose kernel is older than the fix' : undefined),
  async run(site) {
    const neighbour = await site.start()
    const { stdout, refusal } = await site.attempt({
      args: ['/attack/fsconfig'], rootfs: (layer) => install(layer, 'fsconfig'), spec: (spec) => addCapabilities(spec.process, 'CAP_SYS_ADMIN'),
    })
    const answer = await neighbour.shell('echo alive')
    // 4096 bytes and what belongs to each of 256: no more than 15 fit.
    const most = Math.max(...[...stdout.matchAll(/(\d+) of 64/g)].map((match) => Number(match[1])))
    if (most > 15 || !stdout.includes('end')) return reachedGuest(`the guest's kernel took ${most} strings of 256 bytes into a page, or broke (${refusal ?? stdout}); another pod is ${answer}`)
    return contained(`${stdout}; another pod is ${answer}`)
  },
}
