/** Which processes of the host belong to one container of the soak. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { commandLine, stackProcesses } from '../e2e/leaks.ts'
import type { Stack } from '../e2e/stack.ts'

/** What of a sandbox can be killed or stopped. */
export const partNames = ['shim', 'qemu', 'virtiofsd', 'vsock daemon'] as const
export type PartName = typeof partNames[number]

const programs: Record<Exclude<PartName, 'shim'>, RegExp> = {
  'qemu': /^\S*qemu-system/, 'virtiofsd': /^\S*virtiofsd\b/, 'vsock daemon': /^\S*vhost-device-vsock\b/,
}

/** The container's shim: the daemon, whose command line is that of the `start` it was forked from. */
export function shimOf(stack: Stack, containerId: string): number | undefined {
  return shimsOf(stack, containerId).find((pid) => parentOf(pid) !== stack.containerdPid)
}

/** Pids of the part: the shim with its `start` while that runs, or those of its descendants that run the program. */
export function partOf(stack: Stack, containerId: string, part: PartName): number[] {
  if (part === 'shim') return shimsOf(stack, containerId)
  const shim = shimOf(stack, containerId)
  return shim === undefined ? [] : descendants(shim).filter((pid) => programs[part].test(commandLine(pid)))
}

function shimsOf(stack: Stack, containerId: string): number[] {
  return stackProcesses(stack).filter((pid) => {
    const line = commandLine(pid)
    return line.includes('containerd-shim-') && line.includes(containerId) && !line.endsWith(' delete')
  })
}

/** What each descriptor of the process is of, as /proc names it; sockets by their inode. */
export function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try { return [`${fd}:${readlinkSync(`/proc/${pid}/fd/${fd}`)}`] } catch { return [] } // the descriptor is closed meanwhile
  })
}

export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try { process.kill(pid, signal) } catch { /* ESRCH: it ended by itself */ }
}

function descendants(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const pid of readdirSync('/proc').map(Number).filter(Number.isInteger)) {
    const parent = parentOf(pid)
    if (parent !== undefined) children.set(parent, [...children.get(parent) ?? [], pid])
  }
  const found: number[] = []
  const waiting = [root]
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    const own = children.get(pid) ?? []
    found.push(...own)
    waiting.push(...own)
  }
  return found
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')[1])
  } catch { return undefined }
}
