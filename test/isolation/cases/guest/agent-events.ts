import { contained, escaped, type Attack } from '../../attack.ts'
import { Assault } from '../../hostile-agent/assault.ts'
import { notForGiven } from '../../hostile-agent/no-agent.ts'
import { stillWaits, WeakHost } from '../../hostile-agent/weak-host.ts'
import { writeFileSync } from 'node:fs'

export const attack: Attack = {
  id: 'agent-events',
  title: 'an agent that tells exits and OOMs of other containers, of paths, of names with escapes and NULs, impossible statuses, and floods of events',
  family: 'guest',
  leak: "containerd's and kubelet's picture of other containers, files of the host",
  bound: 'guest',
  notFor: notForGiven,
  control: {
    weak: 'a host that passes on what it is told',
    async run(site) {
      writeFileSync(`${site.directory}/victim`, 'the-neighbour')
      const host = WeakHost.start(site, 'foreign-container')
      host.ask('StatsContainer')
      await stillWaits(host.until(() => host.ended.includes('the-neighbour')))
      return host.ended.includes('the-neighbour') ? escaped('told that the neighbour had ended') : contained('told nothing')
    },
  },
  async run(site) {
    const assault = await Assault.begin(site)
    await assault.run(['foreign-container', 'poisoned-names', 'unknown-event', 'broken-event', 'impossible-status', 'stream-ends', 'event-flood', 'oom-flood', 'forged-exit'])
    await assault.runInGuests(['many-events', 'unknown-event', 'broken-event', 'forged-exit'])
    const of = (...names: string[]) => assault.outcomes.filter(({ attack: name }) => names.includes(name))
    const forged = of('forged-exit').map(({ status }) => status)
    const ooms = of('oom-flood', 'many-events').map(({ id }) => assault.eventsOf(id).filter((topic) => topic === '/tasks/oom').length)
    return assault.verdict([
      ...(forged.every((status) => status === 42) ? [] : [`forged-exit: the second of two exits counts: ${forged.join(', ')}`]),
      ...(ooms.every((count) => count <= 40) ? [] : [`oom-flood: ${ooms.join(', ')} events reached containerd`]),
    ])
  },
}
