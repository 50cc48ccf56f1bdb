import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { checkout } from '../../../e2e/stack.ts'
import { contained, escaped, isControl, reachedGuest, type Attack, type Verdict } from '../../attack.ts'
import { bundleId, makeBundle } from '../../bundle.ts'
import { oneLine } from '../../one-line.ts'
import { oursRuntime } from '../../options.ts'
import { install } from '../../programs.ts'
import type { Site } from '../../site.ts'
import { unguard } from '../../spec-changes.ts'

/** Above 300 the kernel gives numbers out in a circle (kernel/pid.c, RESERVED_PIDS); this is where it ends, for as long as the pod lives. */
const lastPid = 900

/**
 * A command line runtime finds its container again by what it wrote down. In a PID namespace of its own the next number can be chosen:
 * the container's process is killed behind the runtime's back, and a stranger that can read the host's files gets its pid.
 */
function onHost(site: Site, runtime: string): string[] {
  const bundle = makeBundle(site, ['sleep', '1000'])
  // What a runtime comes to that knows its process by the number alone.
  const forget = site.weak ? 'start=$(cut -d " " -f 22 /proc/$pid/stat); sed -i -E "s/(\\"init_process_start\\":)[0-9]+/\\1$start/" $state' : ''
  const script = `
cd ${site.directory}; id=${bundleId(site)}; state=${site.directory}/state/$id/state.json
runtime() { ${runtime} --root ${site.directory}/state "$@"; }
runtime run --detach --bundle ${bundle} --pid-file pid $id </dev/null >output 2>&1
pid=$(cat pid)
kill -9 $pid
until [ ! -e /proc/$pid ]; do :; done
echo $((pid - 1)) >/proc/sys/kernel/ns_last_pid
sleep 1000 & stranger=$!
[ $stranger = $pid ] || { echo "the stranger got $stranger, not $pid"; exit 1; }
${forget}
echo "state $(runtime state $id | grep -o '"status": *"[a-z]*"')"
echo "exec $(runtime exec $id cat ${site.directory}/canary 2>&1)"
echo "kill $(runtime kill $id KILL 2>&1)"
# Too late to matter where the runtime killed it.
kill -TERM $stranger || true
wait $stranger || echo "ended $?"
runtime delete --force $id`
  return execFileSync('unshare', ['--pid', '--fork', '--mount-proc', 'bash', '-euc', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim().split('\n').map(line => oneLine(line, 90))
}

function judgeHost(site: Site, said: readonly string[]): Verdict {
  const evidence = said.join('; ')
  if (evidence.includes(site.secret)) return escaped(`an exec read a file of the host's, as the stranger that has the pid now: ${evidence}`)
  if (!said.includes('ended 143')) return escaped(`the stranger was killed in the container's place: ${evidence}`)
  if (/running|created/.test(said[0] ?? '')) return escaped(`the stranger passes for the container: ${evidence}`)
  return contained(evidence)
}

/** In a guest: a privileged container has the kernel give out few numbers and takes every one that is free, that of a dead container of its pod too. */
async function inGuest(site: Site): Promise<Verdict> {
  const pod = await site.pod()
  const volume = { destination: '/v', type: 'bind', source: site.directory, options: ['rbind', 'rw'] }
  const attacker = await pod.start({ rootfs: (layer) => { install(layer, 'fill-pids') }, spec: (spec) => { unguard(spec); spec.mounts.push(volume) } })
  const passed = await attacker.exec(['/attack/fill-pids', 'pass', '350'])
  if (passed.status !== 0) throw new Error(`fill-pids pass: ${passed.stderr}`)
  const dead = await pod.start()
  await attacker.shell(`echo ${lastPid} >/proc/sys/kernel/pid_max`)
  const ended = dead.wait()
  await dead.kill(9)
  await ended
  const fill = await attacker.addExec(['/attack/fill-pids', 'fill', '/v/stop'])
  await fill.start()
  const [full] = await fill.output.until(/full .*/)
  const state = (await dead.state()).status
  const executed = await dead.exec(['cat', '/v/canary']).then(({ status, stdout }) => `exit ${status} ${stdout}`, (error: unknown) => oneLine(String(error), 100))
  const killed = await dead.kill(9, true).then(() => 'kill: done', (error: unknown) => `kill: ${oneLine(String(error), 80)}`)
  writeFileSync(`${site.directory}/stop`, '')
  await fill.output.until(/died \d+/)
  const died = /died (\d+)/.exec((await fill.output.complete).toString())?.[1]
  const evidence = `attacker: ${full}; state ${state}; exec: ${executed}; ${killed}; ${died} of the attacker's died`
  return executed.includes(site.secret) || died !== '0' || state !== 'STOPPED' ? reachedGuest(evidence) : contained(evidence)
}

export const attack: Attack = {
  id: 'reused-pid',
  title: 'state, exec and kill of a container whose process is dead and whose pid a stranger has',
  family: 'container',
  leak: 'the stranger\'s life, and its files',
  bound: 'container',
  control: { weak: 'runc whose record says that the container began when the stranger did' },
  async run(site) {
    site.plant()
    if (isControl(site.runtime)) return judgeHost(site, onHost(site, 'runc'))
    const inside = await inGuest(site)
    if (site.runtime !== oursRuntime || inside.reach !== 'container') return inside
    const commandLine = judgeHost(site, onHost(site, `${checkout}/build/bin/kata-ts`))
    return { ...commandLine, evidence: `in the guest: ${inside.evidence}; kata-ts on the host: ${commandLine.evidence}` }
  },
}
