import { contained, escaped, type Attack } from '../../attack.ts'
import { Assault } from '../../hostile-agent/assault.ts'
import { notForGiven } from '../../hostile-agent/no-agent.ts'
import { stillWaits, WeakHost } from '../../hostile-agent/weak-host.ts'

export const attack: Attack = {
  id: 'agent-output',
  title: 'an agent that writes output for ever after the process has ended, and announces more, less or 2^64-1 bytes of it',
  family: 'guest',
  leak: 'whoever waits for the container: kubelet, ctr, docker',
  bound: 'guest',
  notFor: notForGiven,
  control: {
    weak: 'a host that reads output until it ends',
    async run(site) {
      const host = WeakHost.start(site, 'endless-output')
      await host.answer(5)
      const output = await host.output()
      const waits = await stillWaits(new Promise((resolve) => output.resume().on('close', resolve)), 1000)
      return waits ? escaped(`reads on after ${output.bytesRead >> 20} MiB`) : contained('came to an end')
    },
  },
  async run(site) {
    const assault = await Assault.begin(site)
    const attacks = ['endless-output', 'endless-output-with-an-end', 'announced-and-never-sent', 'fewer-than-sent']
    await assault.run(attacks)
    await assault.runInGuests(attacks)
    return assault.verdict()
  },
}
