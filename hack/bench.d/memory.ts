/** Memory of one pod, as proportional set size: shared pages are counted once over all who share them. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { commandLine } from '../../test/e2e/leaks.ts'
import type { Stack } from '../../test/e2e/stack.ts'
import { withSleeper } from './client-times.ts'
import type { Runtime } from './client-times.ts'

export interface HostMemory { shimMib: number; vmmMib: number; daemonsMib: number }

/** On the host, with one container that has answered one exec. */
export function hostMemory(stack: Stack, runtime: Runtime): Promise<HostMemory> {
  return withSleeper(stack, runtime, async (id) => {
    await stack.ctr(['task', 'exec', '--exec-id', 'warm', id, 'true'])
    const shim = pids().find((pid) => commandLine(pid).includes(`containerd-shim-${runtime}-v2`) && commandLine(pid).includes(id))
    if (shim === undefined) throw new Error(`no shim of ${id}`)
    const children = descendants(shim)
    const vmm = children.filter((pid) => commandLine(pid).includes('qemu-system'))
    const daemons = children.filter((pid) => !vmm.includes(pid))
    const sum = (of: readonly number[]): number => of.reduce((total, pid) => total + pssMib(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')), 0)
    return { shimMib: sum([shim]), vmmMib: sum(vmm), daemonsMib: sum(daemons) }
  })
}

/**
 * The agent's own figure, which it logs at level debug whenever it has become quiet: nobody outside can look into the guest,
 * and a container in it must not. NaN where the line does not come within ten seconds.
 */
export async function agentMemory(stack: Stack): Promise<number> {
  const layer = `${stack.directory}/kata-ts/config.d/90-bench.toml`
  writeFileSync(layer, '[log]\nlevel = "debug"\n')
  try {
    return await withSleeper(stack, 'kata-ts', async (id) => {
      await stack.ctr(['task', 'exec', '--exec-id', 'warm', id, 'true'])
      const told = (): string | undefined => readFileSync(`${stack.directory}/containerd.log`, 'utf8').split('\n')
        .find((text) => text.includes('"msg":"agent memory"') && text.includes(id))
      const deadline = Date.now() + 10_000
      while (told() === undefined && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 100))
      return Number(told()?.match(/pssKib\\*":(\d+)/)?.[1]) / 1024
    })
  } finally { rmSync(layer) }
}

const pssMib = (rollup: string): number => Number(rollup.match(/^Pss:\s+(\d+) kB/m)?.[1]) / 1024

export function pids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger)
}

export function descendants(root: number): number[] {
  const parents = new Map<number, number>()
  for (const pid of pids()) {
    try { parents.set(pid, Number(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) . /s, '').split(' ')[0])) } catch { /* ended */ }
  }
  const below = (pid: number): boolean => {
    const parent = parents.get(pid)
    return parent !== undefined && parent !== 0 && (parent === root || below(parent))
  }
  return [...parents.keys()].filter(below)
}
