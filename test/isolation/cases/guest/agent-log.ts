import { contained, escaped, type Attack } from '../../attack.ts'
import { Assault } from '../../hostile-agent/assault.ts'
import { notForGiven } from '../../hostile-agent/no-agent.ts'
import { stillWaits, WeakHost } from '../../hostile-agent/weak-host.ts'

export const attack: Attack = {
  id: 'agent-log',
  title: 'an agent that logs line ends, forged lines, terminal escapes and bidirectional overrides, and 60 MB of lines',
  family: 'guest',
  leak: "the host's log: lines of others, the terminal of whoever reads it, its disk",
  bound: 'guest',
  notFor: notForGiven,
  control: {
    weak: 'a host that writes a line as it comes',
    async run(site) {
      const host = WeakHost.start(site, 'log-injection')
      host.ask('StatsContainer')
      await stillWaits(host.until(() => host.log.includes('forged')))
      const forged = host.log.split('\n').filter((line) => line.startsWith('{"level":"error","msg":"forged"}')).length
      return forged > 0 ? escaped(`${forged} forged lines, escapes ${host.log.includes('\u001b[2J')}`) : contained('no line was forged')
    },
  },
  async run(site) {
    const assault = await Assault.begin(site)
    const attacks = ['log-injection', 'log-flood']
    await assault.run(attacks)
    await assault.runInGuests(attacks)
    return assault.verdict()
  },
}
