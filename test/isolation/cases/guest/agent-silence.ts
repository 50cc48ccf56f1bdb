import { json } from '../../../e2e/container.ts'
import { contained, escaped, type Attack } from '../../attack.ts'
import { Assault, type Then } from '../../hostile-agent/assault.ts'
import { notForGiven } from '../../hostile-agent/no-agent.ts'
import { stillWaits, WeakHost } from '../../hostile-agent/weak-host.ts'

/** So long that eight requests with it are more than may wait for an agent (shim/agent-limits.ts). */
const longValue = 'x'.repeat(3_000_000)

export const attack: Attack = {
  id: 'agent-silence',
  title: 'an agent that never answers, answers half, reads nothing, closes early or half, takes no streams, and lets SIGKILL have no effect',
  family: 'guest',
  leak: "containerd's calls hang, a pod cannot be removed, requests pile up in the shim",
  bound: 'guest',
  notFor: notForGiven,
  control: {
    weak: 'a host that waits for an answer and for the end that it is told',
    async run(site) {
      const [silent, immortal] = ['never-answers', 'survives-sigkill'].map(name => WeakHost.start(site, name))
      immortal?.kill()
      const answer = silent?.answer(silent.ask('StatsContainer'))
      const ended = immortal?.until(() => immortal.ended.length > 0)
      const waits = await Promise.all([stillWaits(answer ?? Promise.resolve()), stillWaits(ended ?? Promise.resolve())])
      return waits.every(Boolean) ? escaped('waits for an answer, and for the end of a killed container, for ever') : contained('was answered')
    },
  },
  async run(site) {
    const assault = await Assault.begin(site)
    const alone = [
      'never-creates', 'never-starts', 'never-a-sandbox', 'closes-in-a-header', 'closes', 'half-open', 'closes-at-once', 'deaf-to-streams', 'closes-streams',
      'survives-sigkill', 'sigkill-unanswered', 'never-reads',
    ]
    const more: Readonly<Record<string, Then>> = {
      'never-reads': async (container) => {
        for (let round = 0; round < 12; round++) {
          const asked = site.host.client.call('tasks.Update', { container_id: container.containerId, resources: json('LinuxResources', { unified: { 'memory.high': longValue } }) })
          const error: unknown = await asked.catch((cause: unknown) => cause)
          if (/does not read|is gone/.test(String(error))) return
        }
        throw new Error('the shim kept everything that was not read')
      },
    }
    await assault.run(['never-answers', 'half-a-header', ...alone], more)
    await assault.runInGuests([...alone, 'many-silences'], more)
    const kept = assault.outcomes.flatMap(({ refusals }) => refusals).filter((words) => words.includes('kept everything'))
    return assault.verdict(kept)
  },
}
