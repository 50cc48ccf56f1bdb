import { contained, escaped, type Attack } from '../../attack.ts'
import { shareHostNamespace } from '../../spec-changes.ts'

export const attack: Attack = {
  id: 'host-pid',
  title: 'a pod that asks for the host\'s PID namespace',
  family: 'author',
  leak: 'all processes of the host: command lines, environments, their files by /proc/PID/root',
  bound: 'container',
  control: { weak: 'runc, which gives it' },
  async run(site) {
    const { stdout, refusal } = await site.attempt({
      args: ['sh', '-c', `tr '\\0' ' ' </proc/${process.pid}/cmdline; echo; readlink /proc/1/ns/pid; ls -d /proc/[0-9]* | wc -l`],
      spec: (spec) => shareHostNamespace(spec, 'pid'),
    })
    if (refusal !== undefined) return contained(`refused: ${refusal}`)
    const [commandLine = '', count] = [stdout, stdout.split('\n').at(-2)]
    if (commandLine.includes('vitest') || commandLine.includes('node')) return escaped(`the suite's own process ${process.pid} on the host is in sight, of ${count}`)
    return contained(`taken, but ${count} processes are in sight and none is the host's`)
  },
}
