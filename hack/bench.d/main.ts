/** hack/bench: takes every measurement for both runtimes and prints them side by side. */
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { Stack } from '../../test/e2e/stack.ts'
import type { ContainerdVersion } from '../../test/e2e/stack.ts'
import { bareBoot } from './bare-boot.ts'
import { confinementFigures } from './confinement.ts'
import { sizes } from './sizes.ts'
import { execTrue, runTrue, stdoutThroughput } from './client-times.ts'
import { agentMemory, hostMemory } from './memory.ts'
import { networkFigures } from './network.ts'
import { podFigures, runtimeClassOverhead } from './pods.ts'
import { ociStart } from './oci-start.ts'
import { Table } from './table.ts'
import { logLength, readTimelines } from './timeline.ts'

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, json: { type: 'string' }, containerd: { type: 'string', default: '2.1' }, part: { type: 'string' } },
})
const quick = values.quick
const version: ContainerdVersion = values.containerd === '1.6' ? '1.6' : '2.1'
const stack = Stack.open(version)
const table = new Table()
const say = (text: string): void => { process.stderr.write(`bench: ${text}\n`) }
const runtimes = ['kata-ts', 'runc'] as const
const conditions = (): string => `containerd ${version}, ${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, load ${loadavg()[0]?.toFixed(1)}`

/** First, while the host is as idle as it gets. */
async function commandLineFigures(): Promise<void> {
  say('OCI command line: run of true')
  const oci = await ociStart(quick ? 5 : 40)
  table.add('OCI command line: kata-ts run … true', 'ms', { 'kata-ts': oci['kata-ts'], 'runc': oci['runc'] }, '≤ 10 on an idle host')
  table.add('  the same with crun', 'ms', { 'runc': oci['crun'] })
}

const parts: Readonly<Record<string, () => Promise<void>>> = {
  'command-line': commandLineFigures,
  'confinement': () => (say('confinement'), confinementFigures(stack, table, quick ? 3 : 20)),
}
if (values.part !== undefined && !Object.hasOwn(parts, values.part)) throw new Error(`--part ${values.part}: take one of ${Object.keys(parts).join(', ')}`)
for (const [name, take] of Object.entries(parts)) if (values.part === undefined || values.part === name) await take()
if (values.part !== undefined) {
  process.stdout.write(`${conditions()}\n\n${table.format()}`)
  process.exit(0)
}
const since = logLength(stack)

say('bare boot of the same kernel and VMM')
const boot = await bareBoot(quick ? 3 : 10)
table.add('bare boot: QEMU exec → first instruction of init', 'ms', { 'kata-ts': boot })

// Samples of the two runtimes alternate, so that a burst of load on the machine meets both.
say('ctr run --rm … true')
const runs = { 'kata-ts': [] as number[], 'runc': [] as number[] }
for (let sample = 0; sample < (quick ? 3 : 10); sample++) {
  for (const runtime of runtimes) runs[runtime].push(await runTrue(stack, runtime))
}
table.add('ctr run --rm … true', 'ms', runs)
table.add('  over the bare boot (min − min)', 'ms', { 'kata-ts': [Math.min(...runs['kata-ts']) - Math.min(...boot)] }, 'first: ≤ 250')

say('network interface')
const network = await networkFigures(stack, quick ? 3 : 10)
table.add('ctr run, without an interface', 'ms', network.without)
table.add('ctr run, with one interface', 'ms', network.with)

say('ctr task exec … true')
const execs = { 'kata-ts': await execTrue(stack, 'kata-ts', quick ? 5 : 20), 'runc': await execTrue(stack, 'runc', quick ? 5 : 20) }
table.add('ctr task exec … true', 'ms', execs, 'first: ≤ 1.5 × runc')

say('stdout throughput')
const bytes = (quick ? 64 : 256) << 20
table.add(`stdout through the FIFO, ${bytes >> 20} MiB`, 'MB/s', {
  'kata-ts': [await stdoutThroughput(stack, 'kata-ts', bytes)], 'runc': [await stdoutThroughput(stack, 'runc', bytes)],
}, 'first: ≥ 60')

say('memory')
const host = { 'kata-ts': await hostMemory(stack, 'kata-ts'), 'runc': await hostMemory(stack, 'runc') }
table.add('shim PSS, one container', 'MiB', { 'kata-ts': [host['kata-ts'].shimMib], 'runc': [host['runc'].shimMib] }, 'first: ≤ 5')
table.add('host PSS per pod: VMM', 'MiB', { 'kata-ts': [host['kata-ts'].vmmMib] })
table.add('host PSS per pod: virtiofsd, vsock daemon', 'MiB', { 'kata-ts': [host['kata-ts'].daemonsMib] })
table.add('agent PSS in the guest', 'MiB', { 'kata-ts': [await agentMemory(stack)] }, 'first: ≤ 4')
for (const { name, mib, promise } of sizes()) table.add(name, 'MiB', { 'kata-ts': [mib] }, promise)

say('pods over CRI')
const pods = await podFigures(stack, quick ? 2 : 6)
table.add('pod: RunPodSandbox → container running', 'ms', pods.running)
table.add('pod: ExecSync true', 'ms', pods.exec)
table.add('pod: 10 in parallel, all running', 'ms', pods.parallel)
table.add('pod: host PSS, idle, everything', 'MiB', pods.memory)
table.add('  beside the guest\'s memory', 'MiB', { 'kata-ts': [pods.overhead.besideGuestMib] })
table.add('pod: idle CPU of everything', '%', { 'kata-ts': [pods.overhead.idleCpuPercent] })

const timelines = readTimelines(stack, since)
for (const [phase, samples] of Object.entries(timelines)) table.add(`timeline: exec → ${phase}`, 'ms', { 'kata-ts': samples })

process.stdout.write(`${conditions()}\n\n${table.format()}\n${runtimeClassOverhead(pods.overhead)}\n`)
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ conditions: conditions(), figures: table.rows }, null, 2)}\n`)
stack.client.close()
