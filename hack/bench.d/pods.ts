/** What kubelet sees: pods made over CRI, beside runc's. */
import { readFileSync } from 'node:fs'
import { CriClient } from '../../test/e2e/cri/client.ts'
import { Pod } from '../../test/e2e/cri/pod.ts'
import { openCri } from '../../test/e2e/cri/stack.ts'
import { commandLine } from '../../test/e2e/leaks.ts'
import type { Stack } from '../../test/e2e/stack.ts'
import { schema } from '../../shim/config/schema.ts'
import type { Runtime } from './client-times.ts'
import { descendants, pids } from './memory.ts'

const runtimes: readonly Runtime[] = ['kata-ts', 'runc']
const forever = ['sleep', '100000']
const pair = <T>(make: () => T): Record<Runtime, T> => ({ 'kata-ts': make(), 'runc': make() })

export interface PodFigures {
  /** RunPodSandbox until StartContainer has answered, ms. */
  running: Record<Runtime, number[]>
  /** ExecSync of `true`, ms. */
  exec: Record<Runtime, number[]>
  /** Ten pods at once, until the last one's container runs, ms. */
  parallel: Record<Runtime, number[]>
  /** PSS of everything on the host that belongs to an idle pod, MiB. */
  memory: Record<Runtime, number[]>
  /** Of the VM's pod: what is not the guest's memory, and the processor time it takes while idle. */
  overhead: { besideGuestMib: number; idleCpuPercent: number }
}

export async function podFigures(stack: Stack, samples: number): Promise<PodFigures> {
  const cri = await openCri(stack)
  try {
    const figures: PodFigures = { running: pair(() => []), exec: pair(() => []), parallel: pair(() => []), memory: pair(() => []), overhead: { besideGuestMib: NaN, idleCpuPercent: NaN } }
    for (let sample = 0; sample < samples; sample++) {
      for (const runtime of runtimes) await onePod(cri, runtime, figures)
    }
    for (const runtime of runtimes) figures.parallel[runtime].push(await manyPods(cri, runtime, 10))
    return figures
  } finally { cri.close() }
}

async function onePod(cri: CriClient, runtime: Runtime, figures: PodFigures): Promise<void> {
  const start = performance.now()
  const pod = await Pod.run(cri, { handler: runtime, prefix: 'bench' })
  try {
    const container = await pod.start(forever)
    figures.running[runtime].push(performance.now() - start)
    await pod.exec(container, ['true'])
    for (let count = 0; count < 5; count++) {
      const before = performance.now()
      await pod.exec(container, ['true'])
      figures.exec[runtime].push(performance.now() - before)
    }
    const all = processesOf(pod.id, runtime)
    figures.memory[runtime].push(sum(all.map((pid) => rollup(pid).pss)))
    if (runtime === 'kata-ts') figures.overhead = await overheadOf(all)
  } finally { await pod.remove() }
}

async function manyPods(cri: CriClient, runtime: Runtime, count: number): Promise<number> {
  const start = performance.now()
  const made = await Promise.allSettled(Array.from({ length: count }, async () => {
    const pod = await Pod.run(cri, { handler: runtime, prefix: 'bench' })
    await pod.start(forever)
    return pod
  }))
  const tookMs = performance.now() - start
  await Promise.all(made.map((one) => one.status === 'fulfilled' ? one.value.remove() : undefined))
  const failed = made.find((one) => one.status === 'rejected')
  if (failed?.status === 'rejected') throw new Error(`${count} pods of ${runtime} at once`, { cause: failed.reason })
  return tookMs
}

/** The shim and all below it: pause and workload with runc, VMM, daemons and placeholders with kata-ts. */
function processesOf(sandboxId: string, runtime: Runtime): number[] {
  const shim = pids().find((pid) => commandLine(pid).includes(`containerd-shim-${runtime}-v2`) && commandLine(pid).includes(sandboxId))
  if (shim === undefined) throw new Error(`no shim of ${sandboxId}`)
  return [shim, ...descendants(shim)]
}

/** Over five seconds of doing nothing. */
async function overheadOf(all: readonly number[]): Promise<PodFigures['overhead']> {
  const idleMs = 5_000
  const before = sum(all.map(cpuMs))
  await new Promise((resolve) => setTimeout(resolve, idleMs))
  return {
    besideGuestMib: sum(all.map((pid) => { const { pss, shmem } = rollup(pid); return pss - shmem })),
    idleCpuPercent: (sum(all.map(cpuMs)) - before) / idleMs * 100,
  }
}

/** A line for deploy/: what a pod may take beside its containers' limits. `memory_overhead_mib` of the guest is what its kernel and agent may grow to. */
export function runtimeClassOverhead({ besideGuestMib, idleCpuPercent }: PodFigures['overhead']): string {
  const guestMib = schema.hypervisor.memoryOverheadMib.fallback
  const memoryMib = Math.ceil((besideGuestMib + guestMib) / 16) * 16
  const cpuMilli = Math.max(10, Math.ceil(idleCpuPercent) * 10)
  return `RuntimeClass overhead.podFixed: memory ${memoryMib}Mi (${Math.ceil(besideGuestMib)} measured beside the guest's memory, ${guestMib} hypervisor.memory_overhead_mib, rounded up), cpu ${cpuMilli}m (idle)`
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** The guest's memory is shared memory of the VMM's (memfd). */
function rollup(pid: number): { pss: number; shmem: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const mib = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024
  return { pss: mib('Pss'), shmem: mib('Pss_Shmem') }
}

/** Of the process, with its threads: user and system time in ticks of 10 ms (proc_pid_stat(5)). */
function cpuMs(pid: number): number {
  const [user = 0, system = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ').slice(11, 13).map(Number)
  return (user + system) * 10
}

