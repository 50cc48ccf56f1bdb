import { contained, escaped, type Attack } from '../../attack.ts'
import { shareHostNamespace } from '../../spec-changes.ts'

/** containerd-shim once listened on an abstract socket, which whoever shared its network namespace could connect to. */
export const attack: Attack = {
  id: 'CVE-2020-15257',
  title: 'a pod that asks for the host\'s network sees the sockets of its daemons',
  family: 'author',
  leak: 'the host\'s network, and daemons that trust who is in it',
  bound: 'container',
  control: { weak: 'runc, which gives it' },
  async run(site) {
    const { stdout, refusal } = await site.attempt({ args: ['cat', '/proc/net/unix'], spec: (spec) => shareHostNamespace(spec, 'network') })
    if (refusal !== undefined) return contained(`refused: ${refusal}`)
    const [seen] = /\S*containerd\S*/.exec(stdout) ?? []
    return seen === undefined ? contained('taken, but no socket of the host is in sight') : escaped(`containerd's ${seen} is in its network namespace`)
  },
}
