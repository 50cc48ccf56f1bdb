import { createServer } from 'node:net'
import { readdirSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import { contained, escaped, reachedGuest, type Attack, type Verdict } from '../../attack.ts'
import { oursRuntime } from '../../options.ts'
import { install } from '../../programs.ts'
import type { Site } from '../../site.ts'

/** Not among those that the program dials by itself. */
const listening = 7007

async function dial(site: Site, prepare: (sandbox: string) => Promise<void>): Promise<Verdict> {
  const pod = await site.pod()
  const neighbour = await pod.start()
  await prepare(pod.sandbox.containerId)
  const container = await pod.start({ rootfs: (layer) => install(layer, 'vsock') })
  const { stdout, stderr } = await container.exec(['/attack/vsock', String(listening)])
  const answer = await neighbour.shell('echo answers')
  const open = [...stdout.matchAll(/^open (\d+):(\d+)/gm)].map(([, cid, port]) => ({ cid, port }))
  const host = open.find(({ cid }) => cid === '2')
  if (host !== undefined) return escaped(`port ${host.port} of the host took a container's connection; the neighbour ${answer}`)
  if (open.length > 0) return reachedGuest(`ports are open to a container: ${stdout}`)
  return contained(`${stdout}${stderr}; the neighbour ${answer} afterwards`)
}

/** What a host has that waits for its guests there: behind the daemon's socket, as the agent's port was while the guest booted. */
async function listenOnHost(site: Site, sandbox: string): Promise<void> {
  const stack = site.host.stack
  if (stack === undefined) throw new Error('a given containerd has no kata-ts of ours: unavailable() should have said so')
  const directory = `${stack.inside('/run/kata-ts')}/default/${sandbox}/vsock`
  if (!readdirSync(directory).includes('vsock.sock')) throw new Error(`${directory} has no socket of the daemon's`)
  const server = createServer((socket) => { socket.on('error', () => undefined); socket.resume() })
  onTestFinished(() => { server.close() })
  const path = `${directory}/vsock.sock_${listening}`
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(path, resolve))
  site.host.shell(`chmod 666 /run/kata-ts/default/${sandbox}/vsock/vsock.sock_${listening}`)
}

export const attack: Attack = {
  id: 'vsock',
  title: 'AF_VSOCK from a container to the agent, the host and other guests, hundreds of connections at once',
  family: 'container',
  leak: 'the agent\'s control of the pod, services of the host, the connections of other pods',
  bound: 'container',
  control: {
    weak: 'kata-ts with a port of the host that listens to this guest', runtime: oursRuntime,
    unavailable: (host) => (host.stack === undefined ? 'needs the kata-ts of the private containerd' : undefined),
    run: (site) => dial(site, (sandbox) => listenOnHost(site, sandbox)),
  },
  run: (site) => dial(site, () => Promise.resolve()),
}
