import * as sys from 'native:sys'
import { cgroupMounts } from '../../../native/ts/cgroup-mounts.ts'
import { capabilityNames } from '../../../native/ts/constants/capability.ts'
import { AT_FDCWD } from '../../../native/ts/constants/fcntl.ts'
import { checked } from '../../../native/ts/errno.ts'
import { readText, readTextIfPresent } from '../../../native/ts/file.ts'
import { type InsideView, lookInside } from './inside.ts'

/** What a process of a sandbox could see, use and be if its guest took it over. */
export interface ProcessView extends InsideView {
  pid: number
  name: string
  uid: number
  gid: number
  groups: number[]
  /** Effective. */
  capabilities: string[]
  bounding: string[]
  noNewPrivs: boolean
  /** 0: none, 2: a filter (seccomp(2)). */
  seccomp: number
  /** Kinds of namespaces that are the shim's or the host's. */
  sharedNamespaces: string[]
  /** What its descriptors are, each kind once: `socket`, `anon_inode:[eventpoll]`, `/dev/kvm`, … */
  openFiles: string[]
  /** undefined: no limit. */
  memoryLimitBytes: number | undefined
  tasksLimit: number | undefined
  /** 0 and 1 mean none. */
  coreLimitBytes: number
}

const kinds = ['mnt', 'pid', 'ipc', 'uts', 'net'] as const

/** Looks at process `pid`, a child of the shim `shim` or of such a child, from outside and from inside. Throws SysError. */
export function viewProcess(pid: number, shim: number): ProcessView {
  const status = readText(`/proc/${pid}/status`, 64 * 1024)
  const field = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? ''
  const ids = (name: string): number[] => field(name).split(/\s+/).filter(Boolean).map(Number)
  const mask = (name: string): bigint => BigInt(`0x${field(name) || '0'}`)
  const [uid = 0, gid = 0, groups] = [ids('Uid')[0], ids('Gid')[0], ids('Groups')]
  const inside = lookInside(pid, { uid, gid, groups, capabilities: mask('CapEff') }, hostPids())
  const itself = ownTasks(pid, ids('NSpid').length - 1)
  return {
    pid, name: field('Name'), uid, gid, groups,
    capabilities: namesOf(mask('CapEff')), bounding: namesOf(mask('CapBnd')), noNewPrivs: field('NoNewPrivs') === '1', seccomp: Number(field('Seccomp')),
    sharedNamespaces: kinds.filter(kind => [shim, 1].some(other => namespaceOf(pid, kind) === namespaceOf(other, kind))),
    openFiles: openFilesOf(pid),
    ...limitsOf(pid),
    coreLimitBytes: Number(/^Max core file size\s+(\d+)/m.exec(readText(`/proc/${pid}/limits`, 8192))?.[1] ?? Infinity),
    root: inside.root, writable: inside.writable, signals: inside.signals.filter(each => !itself.has(each)), traces: inside.traces.filter(each => !itself.has(each)),
  }
}

/** Threads of a process and of its children, as the PID namespace of depth `level` numbers them (proc_pid_status(5), NSpid). */
function ownTasks(pid: number, level: number): Set<number> {
  const numbers = new Set<number>()
  for (const each of [pid, ...descendants(pid)]) {
    for (const { name } of checked('readdir', `tasks of ${each}`, sys.readdir(AT_FDCWD, `/proc/${each}/task`))) {
      const status = readTextIfPresent(`/proc/${each}/task/${name}/status`, 64 * 1024) ?? ''
      numbers.add(Number(/^NSpid:\s*(.*)$/m.exec(status)?.[1]?.split(/\s+/)[level]))
    }
  }
  return numbers
}

/** Processes of a sandbox below its shim: VMM, daemons, their children. The shim's own placeholders and forks are none. */
export function sandboxProcesses(shim: number): { pid: number; role: 'vmm' | 'virtiofsd' | 'vsock' }[] {
  const found: { pid: number; role: 'vmm' | 'virtiofsd' | 'vsock' }[] = []
  for (const pid of descendants(shim)) {
    const name = (readTextIfPresent(`/proc/${pid}/comm`, 64) ?? '').trim()
    const role = name.startsWith('qemu') ? 'vmm' : name.startsWith('virtiofsd') ? 'virtiofsd' : name.startsWith('vhost-device') ? 'vsock' : undefined
    if (role) found.push({ pid, role })
  }
  return found
}

function descendants(pid: number): number[] {
  const children = (readTextIfPresent(`/proc/${pid}/task/${pid}/children`, 64 * 1024) ?? '').split(' ').filter(word => word.trim() !== '').map(Number)
  return children.flatMap(child => [child, ...descendants(child)])
}

function hostPids(): number[] {
  const entries = sys.readdir(AT_FDCWD, '/proc')
  return typeof entries === 'number' ? [] : entries.map(entry => Number(entry.name)).filter(Number.isInteger)
}

function namesOf(mask: bigint): string[] {
  return capabilityNames.filter((_name, bit) => mask >> BigInt(bit) & 1n)
}

function namespaceOf(pid: number, kind: string): string {
  const link = sys.readlinkat(AT_FDCWD, `/proc/${pid}/ns/${kind}`)
  return typeof link === 'string' ? link : `${pid} ${kind}`
}

function openFilesOf(pid: number): string[] {
  const entries = sys.readdir(AT_FDCWD, `/proc/${pid}/fd`)
  if (typeof entries === 'number') return []
  const files = entries.map(({ name }) => sys.readlinkat(AT_FDCWD, `/proc/${pid}/fd/${name}`)).filter(link => typeof link === 'string')
  return [...new Set(files.map(link => link.replace(/^(socket|pipe):.*/, '$1').replace(/^\/memfd:.*/, 'memfd').replace(/ \(deleted\)$/, '')))].sort()
}

/** The limits of the nearest groups that have one: v1's memory and pids, or the unified hierarchy's. */
function limitsOf(pid: number): { memoryLimitBytes: number | undefined; tasksLimit: number | undefined } {
  const { v1, v2 } = cgroupMounts(readText('/proc/self/mountinfo'))
  const lines = readText(`/proc/${pid}/cgroup`, 64 * 1024).split('\n').map(line => /^\d+:([^:]*):(.*)$/.exec(line))
  const limit = (controller: string, v1File: string, v2File: string): number | undefined => {
    const hierarchy = v1.find(each => each.controllers.includes(controller))
    const path = lines.find(line => hierarchy ? line?.[1]?.split(',').includes(controller) : line?.[1] === '')?.[2] ?? ''
    const value = readTextIfPresent(`${hierarchy?.mountPoint ?? v2 ?? ''}${path}/${hierarchy ? v1File : v2File}`, 64)?.trim()
    // v1 says none by the largest number of pages.
    return value === undefined || value === 'max' || Number(value) > 2 ** 62 ? undefined : Number(value)
  }
  return { memoryLimitBytes: limit('memory', 'memory.limit_in_bytes', 'memory.max'), tasksLimit: limit('pids', 'pids.max', 'pids.max') }
}
