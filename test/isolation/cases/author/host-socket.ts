import { createServer } from 'node:net'
import { onTestFinished } from 'vitest'
import { contained, escaped, type Attack } from '../../attack.ts'
import { install } from '../../programs.ts'

export const attack: Attack = {
  id: 'hostpath-socket',
  title: 'a hostPath volume with a daemon\'s unix socket, as /run/containerd/containerd.sock is one',
  family: 'author',
  leak: 'the daemon, and root on the host with containerd\'s or Docker\'s',
  bound: 'container',
  control: { weak: 'runc, which mounts it' },
  async run(site) {
    const received: string[] = []
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (data) => received.push(data.toString()))
      socket.end('root\n')
    })
    onTestFinished(() => { server.close() })
    await new Promise<void>((resolve) => server.listen(`${site.directory}/daemon.sock`, resolve))
    const refusals: string[] = []
    // The socket itself, and the directory that it lies in.
    for (const source of [`${site.directory}/daemon.sock`, site.directory]) {
      const destination = source.endsWith('.sock') ? '/run/daemon.sock' : '/host'
      const { stdout, stderr, refusal } = await site.attempt({
        args: ['/attack/connect-unix', destination === '/host' ? '/host/daemon.sock' : destination, site.secret],
        rootfs: (layer) => install(layer, 'connect-unix'),
        spec: (spec) => { spec.mounts.push({ destination, type: 'bind', source, options: ['rbind', 'rw'] }) },
      })
      if (received.join('').includes(site.secret)) return escaped(`the host's daemon got «${stdout.trim()}» asked for by the container`)
      refusals.push(refusal ?? stderr)
    }
    return contained(`the host's daemon got nothing: ${refusals.join(' / ')}`)
  },
}
