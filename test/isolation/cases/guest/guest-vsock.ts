import { createServer } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Container } from '../../../e2e/container.ts'
import { footprint } from '../../../e2e/leaks.ts'
import { contained, escaped, type Attack } from '../../attack.ts'
import { Assault } from '../../hostile-agent/assault.ts'
import { notForGiven } from '../../hostile-agent/no-agent.ts'
import type { Site } from '../../site.ts'

/** What the attacker dials besides all else (guest-attacks.ts). */
const plantedPort = 7007

/** A service of the host's that listens for guests, as the shim did while the guest booted. */
async function listenOnHost(site: Site, container: Container): Promise<void> {
  const directory = `/run/kata-ts/default/${container.containerId}/vsock`
  const server = createServer((socket) => { socket.on('error', () => undefined).resume() })
  onTestFinished(() => { server.close() })
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(`${site.host.stack?.inside(directory)}/vsock.sock_${plantedPort}`, resolve))
  site.host.shell(`chmod 666 ${directory}/vsock.sock_${plantedPort}`)
}

export const attack: Attack = {
  id: 'guest-vsock',
  title: "an attacker's kernel dials 800 ports of the host, other VMs, and the shim's port 200 times more at once, then answers with 4 MiB",
  family: 'guest',
  leak: 'services of the host and of other VMs, a second agent in the place of the first',
  bound: 'guest',
  notFor: notForGiven,
  control: {
    weak: 'a host where something listens for guests',
    unavailable: (host) => host.stack === undefined ? 'only on the private containerd' : undefined,
    async run(site) {
      const assault = await Assault.begin(site)
      const told = await assault.runInGuest('vsock', { before: (container) => listenOnHost(site, container) })
      return told.includes(`2:${plantedPort}`) ? escaped(told) : contained(told)
    },
  },
  async run(site) {
    const assault = await Assault.begin(site)
    let held = [0, 0]
    const fds = (container: Container): number => footprint(assault.shimOf(container.containerId) ?? 0).fds
    const told = await assault.runInGuest('vsock', {
      before: async (container) => { held = [fds(container), 0] },
      after: async (container) => { held = [held[0] ?? 0, fds(container)] },
    })
    const [before = 0, after = 0] = held
    const more = [
      ...(told === 'reached nothing' ? [] : [told]),
      ...(after > before ? [`the shim had ${before} descriptors before the attack, ${after} afterwards`] : []),
    ]
    const verdict = await assault.verdict(more)
    return { ...verdict, evidence: `${told}; ${verdict.evidence}` }
  },
}
