import { StatsContainerResponse } from '../../../../protocol/gen/agent.ts'
import { Response } from '../../../../protocol/gen/ttrpc.ts'
import { contained, escaped, type Attack } from '../../attack.ts'
import { Assault } from '../../hostile-agent/assault.ts'
import { notForGiven } from '../../hostile-agent/no-agent.ts'
import { WeakHost } from '../../hostile-agent/weak-host.ts'

export const attack: Attack = {
  id: 'agent-answers',
  title: 'an agent that answers with broken protobuf, another message, a million empty entries in 2 MiB, counts of 2^64-1, labels with line ends',
  family: 'guest',
  leak: "the shim's memory, containerd's metrics",
  bound: 'guest',
  notFor: notForGiven,
  control: {
    weak: 'a host that decodes what ttrpc lets through',
    async run(site) {
      const host = WeakHost.start(site, 'million-disks')
      const { payload } = Response.decode(await host.answer(host.ask('StatsContainer')))
      const before = process.memoryUsage().heapUsed
      const { io } = StatsContainerResponse.decode(payload)
      const grown = process.memoryUsage().heapUsed - before
      const what = `${payload.length >> 10} KiB of answer are ${io.length} entries and ${grown >> 20} MiB of heap`
      return grown > 64 << 20 ? escaped(what) : contained(what)
    },
  },
  async run(site) {
    const assault = await Assault.begin(site)
    await assault.run(['broken-envelope', 'broken-message', 'wrong-message', 'nested-groups', 'million-disks', 'million-page-sizes', 'million-details', 'many-disks', 'huge-counts', 'poisoned-error'])
    await assault.runInGuests(['many-answers'])
    return assault.verdict()
  },
}
