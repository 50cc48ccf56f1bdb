import { PodNetwork } from '../../../e2e/pod-network.ts'
import { contained, escaped, type Attack } from '../../attack.ts'
import { Assault } from '../../hostile-agent/assault.ts'
import { notForGiven } from '../../hostile-agent/no-agent.ts'

/** Those of a pod's VM; its disks and share have cases of their own. Virtio 1.1, section 5. */
const attacked = { net: 0x1041, rng: 0x1044, vsock: 0x1053, balloon: 0x1045 } as const

/** A guest on a loaded host that emulates it. */
const waitedMs = 20_000

/** What the attacker tells of each device, on its console. */
function devicesTold(log: string): string[] {
  return Object.entries(attacked).flatMap(([name, device]) => {
    const [, queues, used, made] = new RegExp(`attacked ${device.toString(16)}: (\\d+) queues, (\\d+) of (\\d+) chains used`).exec(log) ?? []
    return made === undefined ? [] : [`${name}: ${made} chains on ${queues} queues, ${used} of them used`]
  })
}

const endTold = (log: string): string | undefined => /(?:qemu|vhost-device-vsock)[^\s]* (?:exited with status \d+|was killed by SIG[A-Z]+)/.exec(log)?.[0]

export const attack: Attack = {
  id: 'device-queues',
  title: 'an attacker\'s kernel fills the queues of all its other devices (network, random numbers, vsock, balloon) with malformed descriptor chains',
  family: 'guest',
  leak: 'VMM and vsock daemon, and the shim that waits for an agent behind them',
  bound: 'guest',
  notFor: notForGiven,
  control: { none: 'QEMU and the daemon have no known hole of this kind that could be shown: what is judged is that nothing but this VM suffers, and that the shim stays in order' },
  async run(site) {
    const { stack } = site.host
    if (!stack) throw new Error('only on the private containerd')
    const pod = new PodNetwork(stack).addPod(10)
    const assault = await Assault.begin(site)
    await assault.runInGuests(['device-queues'], {
      'device-queues': async ({ containerId }) => {
        const isOver = (log: string): boolean => devicesTold(log).length === Object.keys(attacked).length || endTold(log) !== undefined
        for (const end = Date.now() + waitedMs; !isOver(assault.logOf(containerId).join('\n')) && Date.now() < end;) await new Promise((resolve) => setTimeout(resolve, 50))
      },
    }, pod.join)
    const [{ id = '', status } = {}] = assault.outcomes
    const log = assault.logOf(id).join('\n')
    const [told, ended] = [devicesTold(log), endTold(log)]
    // A request may cost the VMM nothing that grows with what it names.
    const violations = [...await assault.violations(), ...(log.includes('its limit of memory was reached') ? [`a VMM or daemon took memory up to its limit: ${told.join(', ')}`] : [])]
    if (violations.length > 0) return escaped(violations.join('; '))
    if (told.length < Object.keys(attacked).length && ended === undefined) throw new Error(`not all devices were attacked: ${told.join(', ')}`)
    return contained(`${told.join(', ')}; ${ended ?? 'VMM and daemon live'}, exit status ${status}`)
  },
}
