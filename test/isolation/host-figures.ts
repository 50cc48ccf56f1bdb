/** What a pod costs its host: processes, descriptors and memory of its shim and of what that started, and what its root file systems take on disk. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { footprint } from '../e2e/leaks.ts'

interface Member { pid: number; name: string; fds: number; fdLimit: number; anonKib: number }
export interface Figures { members: Member[]; diskKib: number }

/** An attack may cost so much more than the pod did before it. Emulated, a guest that does more has more of it translated (QEMU's `tb-size`, anonymous memory). */
const more = { processes: 1, fds: 64, shimAnonKib: 64 << 10, vmmAnonKib: 512 << 10, diskKib: 16 << 10 }

/** `pid` is a task's, as containerd has it: a child of the shim's. `layers`: directories of the host that hold what the pod writes. */
export function hostFigures(pid: number, layers: readonly string[]): Figures {
  const parents = new Map(readdirSync('/proc').map(Number).filter(Number.isInteger).map((each) => [each, parentOf(each)]))
  const shim = parents.get(pid) ?? 0
  const belongs = (each: number | undefined): boolean => each !== undefined && each > 1 && (each === shim || belongs(parents.get(each)))
  const members = [...parents.keys()].filter((each) => (shim > 1 ? belongs(each) : each === pid)).flatMap(member)
  const diskKib = layers.reduce((sum, layer) => sum + Number(execFileSync('du', ['-sk', layer], { encoding: 'utf8' }).split('\t')[0]), 0)
  return { members, diskKib }
}

function parentOf(pid: number): number {
  try { return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) } catch { return 0 } // it ended meanwhile
}

function member(pid: number): Member[] {
  try {
    const { fds, rssAnonKib } = footprint(pid)
    const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
    return [{ pid, name, fds, anonKib: rssAnonKib, fdLimit: Number(/^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1] ?? 0) }]
  } catch { return [] } // it ended meanwhile
}

const isVmm = ({ name }: Member): boolean => /qemu|firecracker|cloud-hyperv/.test(name)
const isFileServer = ({ name }: Member): boolean => name.startsWith('virtiofsd')

/** What an attack made of them: for people, and what is beyond its bound. */
export function compare(before: Figures, after: Figures): { told: string; beyond: string[] } {
  const beyond: string[] = []
  const told: string[] = []
  if (after.members.length > before.members.length + more.processes) beyond.push(`${after.members.length} processes, ${before.members.length} before`)
  for (const now of after.members) {
    const then = before.members.find(({ pid }) => pid === now.pid)
    if (then === undefined) continue
    // A file server has a descriptor of each file that the guest knows: its own limit is the bound, and must not be the table's end.
    if (now.fds > (isFileServer(now) ? now.fdLimit / 2 : then.fds + more.fds)) beyond.push(`${now.name} has ${now.fds} descriptors, ${then.fds} before, of ${now.fdLimit}`)
    if (now.anonKib > then.anonKib + (isVmm(now) ? more.vmmAnonKib : more.shimAnonKib)) beyond.push(`${now.name} has ${now.anonKib} KiB, ${then.anonKib} before`)
    told.push(`${now.name} ${then.fds}→${now.fds} fds, ${mib(then.anonKib)}→${mib(now.anonKib)} MiB`)
  }
  if (after.diskKib > before.diskKib + more.diskKib) beyond.push(`${after.diskKib} KiB of disk, ${before.diskKib} before`)
  return { told: `on the host ${after.members.length} processes (${told.slice(0, 5).join(', ')}), disk ${before.diskKib}→${after.diskKib} KiB`, beyond }
}

const mib = (kib: number): number => Math.round(kib / 1024)

/** The whole machine, for the evidence alone: others use it too. */
export function machine(): string {
  const available = Number(/^MemAvailable:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0)
  const [, , , tasks = ''] = readFileSync('/proc/loadavg', 'utf8').split(' ')
  return `machine: ${mib(available)} MiB free, ${tasks.split('/')[1] ?? '?'} tasks, ${readFileSync('/proc/sys/fs/file-nr', 'utf8').split('\t')[0] ?? '?'} files`
}
