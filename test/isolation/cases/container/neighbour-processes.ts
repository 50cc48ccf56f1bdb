import { contained, escaped, type Attack } from '../../attack.ts'
import { addCapabilities, shareHostNamespace } from '../../spec-changes.ts'

/** Looks at every process for a secret, at every root for a file, and then kills whatever it sees. */
export const attack: Attack = {
  id: 'neighbour-processes',
  title: 'environment, files and life of another pod\'s processes, by /proc and kill',
  family: 'container',
  leak: 'secrets of another pod, and the pod',
  bound: 'container',
  control: { weak: 'runc with the host\'s PID namespace and CAP_SYS_PTRACE' },
  async run(site) {
    const neighbour = await site.start({
      spec: (spec) => { spec.process.env.push(`TOKEN=${site.secret}`) },
      args: ['sh', '-c', `echo ${site.secret} >/run/token; exec sleep 100000`],
    })
    const container = await site.start({
      spec: (spec) => { if (site.weak) shareHostNamespace(spec, 'pid') },
    })
    const { stdout } = await container.exec(['sh', '-c', `cat /proc/[0-9]*/environ /proc/[0-9]*/root/run/token 2>/dev/null | grep -c -a ${site.secret}
      # Only what has the secret is killed: in the control everything on the machine is in sight.
      for p in /proc/[0-9]*; do grep -q -a TOKEN=${site.secret} $p/environ 2>/dev/null && kill -9 \${p#/proc/}; done; ls -d /proc/[0-9]* | wc -l`], { process: (process) => { addCapabilities(process, 'CAP_SYS_PTRACE') } })
    const [found, processes] = stdout.split('\n')
    const alive = (await neighbour.state()).status === 'RUNNING'
    if (found !== '0' || !alive) return escaped(`its secret was read ${found} times, and it is ${alive ? 'alive' : 'dead, killed by the attacker'}`)
    return contained(`of ${processes} processes in sight none is the neighbour's; it runs on`)
  },
}
