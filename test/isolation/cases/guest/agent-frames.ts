import { contained, escaped, type Attack } from '../../attack.ts'
import { Assault } from '../../hostile-agent/assault.ts'
import { notForGiven } from '../../hostile-agent/no-agent.ts'
import { WeakHost } from '../../hostile-agent/weak-host.ts'

export const attack: Attack = {
  id: 'agent-frames',
  title: 'an agent that sends frames of 5 MiB and 4 GiB, wrong lengths, and frames on streams that are unknown, used up or not its own',
  family: 'guest',
  leak: "the shim's memory, answers to other calls",
  bound: 'guest',
  notFor: notForGiven,
  control: {
    weak: 'a host that waits for as many bytes as a frame announces',
    async run(site) {
      const host = WeakHost.start(site, 'endless-frame')
      host.ask('StatsContainer')
      await host.until(() => host.heldBytes > 64 << 20)
      return host.heldBytes > 64 << 20 ? escaped(`holds ${host.heldBytes >> 20} MiB of one frame`) : contained('holds little')
    },
  },
  async run(site) {
    const assault = await Assault.begin(site)
    await assault.run([
      'oversize-frame', 'endless-frame', 'length-too-short', 'length-too-long', 'unknown-stream', 'even-stream', 'stream-zero', 'reused-streams',
      'answered-twice', 'stream-for-unary', 'request-of-its-own', 'unknown-type',
    ])
    await assault.runInGuests(['many-frames', 'unknown-stream', 'endless-frame', 'length-too-short', 'length-too-long', 'even-stream', 'stream-zero'])
    return assault.verdict()
  },
}
