/**
 * What a stack holds on the host: processes, mounts, sockets, state files, cgroups. Taken before and after, the
 * difference is the leak. containerd, its database and the test's own processes are not part of it.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Stack } from './stack.ts'

export interface Inventory {
  processes: string[]
  mounts: string[]
  sockets: string[]
  files: string[]
  cgroups: string[]
}

/** What the ids of these tests begin with: other lanes and daemons on the machine make cgroups and mounts too. */
export const idPrefix = 'e2e-'

/** Directories whose content must return to what it was; paths are the stack's own view. */
const stateDirectories = ['/run/kata-ts', '/run/containerd']

export function takeInventory(stack: Stack): Inventory {
  const pids = stackProcesses(stack)
  return {
    processes: pids.map(describeProcess).filter((line) => line !== '').sort(),
    mounts: mountsOf(stack, pids),
    sockets: socketsOf(stack),
    files: [
      ...stateDirectories.flatMap((path) => walk(stack.inside(path)).map((name) => join(path, name))),
      // One directory level is enough: bundles are directories named by the container.
      ...['io.containerd.runtime.v2.task', 'io.containerd.runtime.v1.linux'].flatMap((plugin) =>
        walk(`${stack.directory}/state/${plugin}`, 2).map((name) => `state/${plugin}/${name}`)),
    ].filter((path) => !isPermanent(path)).sort(),
    // Those of this run: others on the machine make theirs meanwhile.
    cgroups: walk('/sys/fs/cgroup', 6).filter((path) => path.includes(`${idPrefix}${process.pid}-`)).sort(),
  }
}

/** What the first container of a stack makes and all later ones use: directories named after the namespace, and what kata-ts measured of the host. */
function isPermanent(path: string): boolean {
  return /^(\/run\/containerd\/(s|fifo|runc|runc\/(default|k8s\.io))|\/run\/kata-ts\/(default|k8s\.io|host\.json|programs(\/[0-9a-f]+\.json)?)|state\/[^/]+\/(default|k8s\.io))$/.test(path)
}

/** Lines of `after` that `before` has not, by kind, but for those that match `tolerated`; empty when nothing leaked. */
export function leaked(before: Inventory, after: Inventory, tolerated?: RegExp): Partial<Inventory> {
  const result: Partial<Inventory> = {}
  for (const kind of ['processes', 'mounts', 'sockets', 'files', 'cgroups'] as const) {
    const extra = subtract(after[kind], before[kind]).filter((line) => !tolerated?.test(line))
    if (extra.length > 0) result[kind] = extra
  }
  return result
}

/**
 * Resolves when nothing is left beyond `before`; throws with the difference when that takes longer than `timeoutMs`.
 * Death is asynchronous (a killed process is reaped later), hence the wait for the condition.
 */
export async function expectNothingLeft(stack: Stack, before: Inventory, tolerated?: RegExp, timeoutMs = 15_000): Promise<void> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const extra = leaked(before, takeInventory(stack), tolerated)
    if (Object.keys(extra).length === 0) return
    if (Date.now() > end) throw new Error(`left behind:\n${JSON.stringify(extra, null, 2)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/**
 * Pids that belong to the stack beside containerd and the holder: its mark in the environment, a mount of it in view, a cgroup of one of our containers, or such a
 * parent. A VMM has a clean environment and sees no mount of anybody's.
 */
export function stackProcesses(stack: Stack): number[] {
  const mark = `\0KATA_TS_STACK=${stack.directory}\0`
  const group = `/${idPrefix}${process.pid}-`
  const own = new Set([stack.containerdPid, stack.holderPid, process.pid])
  const pids = readdirSync('/proc').map(Number).filter((pid) => Number.isInteger(pid) && !own.has(pid))
  const parents = new Map(pids.map((pid) => [pid, Number(read(`/proc/${pid}/stat`).replace(/^.*\) /s, '').split(' ')[1])]))
  // Most share a namespace: the soak asks while guests boot, beside everything else that runs on the machine.
  const seen = new Map<string, boolean>()
  const seesMount = (pid: number): boolean => {
    const namespace = link(`/proc/${pid}/ns/mnt`)
    const known = seen.get(namespace) ?? read(`/proc/${pid}/mountinfo`).includes(`${stack.directory}/`)
    if (namespace !== '') seen.set(namespace, known)
    return known
  }
  const marked = new Set(pids.filter((pid) => `\0${read(`/proc/${pid}/environ`)}`.includes(mark) || read(`/proc/${pid}/cgroup`).includes(group) || seesMount(pid)))
  const belongs = (pid: number | undefined): boolean => pid !== undefined && (marked.has(pid) || belongs(parents.get(pid)))
  return pids.filter(belongs)
}

/** Pids of the stack whose command line matches. */
export function processesNamed(stack: Stack, pattern: RegExp): number[] {
  return stackProcesses(stack).filter((pid) => pattern.test(commandLine(pid)))
}

export const commandLine = (pid: number): string => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()

/** Open file descriptors and anonymous resident memory: what a daemon must not gain by work that is over. */
export function footprint(pid: number): { fds: number; rssAnonKib: number; threads: number } {
  const status = read(`/proc/${pid}/status`)
  const field = (name: string): number => Number(status.match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))?.[1] ?? 0)
  return { fds: readdirSync(`/proc/${pid}/fd`).length, rssAnonKib: field('RssAnon'), threads: field('Threads') }
}

function describeProcess(pid: number): string {
  const state = read(`/proc/${pid}/stat`).replace(/^.*\) /, '').charAt(0)
  // A zombie is its parent's to reap; where the parent is init that is not ours to test.
  if (state === '' || state === 'Z') return ''
  return `${pid} ${commandLine(pid)}`
}

function mountsOf(stack: Stack, pids: readonly number[]): string[] {
  const seen = new Map<string, string>()
  for (const pid of [...pids, stack.holderPid, stack.containerdPid, process.pid]) {
    try {
      const namespace = readlinkSync(`/proc/${pid}/ns/mnt`)
      if (!seen.has(namespace)) seen.set(namespace, read(`/proc/${pid}/mountinfo`))
    } catch { /* it ended meanwhile */ }
  }
  // The namespaces that containers made die with their processes, which are listed by themselves.
  const host = seen.get(readlinkSync('/proc/self/ns/mnt')) ?? ''
  const own = seen.get(stack.mountNamespace) ?? ''
  // The stack's namespace is a slave of the host's: what others mount there is seen here and is not ours.
  const ofStack = (line: string): boolean => [`${stack.directory}/`, '/run/kata-ts/', idPrefix].some((part) => line.includes(part))
  return [
    ...host.split('\n').filter(ofStack).map((line) => `host ${mountPoint(line)}`),
    ...own.split('\n').filter(ofStack).map((line) => `stack ${mountPoint(line)}`),
  ].sort()
}

function mountPoint(line: string): string {
  const [, , , , target] = line.split(' ')
  return `${target ?? ''} ${line.split(' - ')[1] ?? ''}`
}

function socketsOf(stack: Stack): string[] {
  const paths = (pid: number): string[] => read(`/proc/${pid}/net/unix`).split('\n').map((line) => line.split(/\s+/)[7] ?? '')
  // In the host's network namespace are the sockets of other daemons' shims as well.
  return [...paths(process.pid).filter((path) => path.startsWith(`${stack.directory}/`)),
    ...paths(stack.holderPid).filter((path) => path.startsWith(`${stack.directory}/`) || /^@?\/run\/(kata-ts|containerd)\//.test(path))]
    .filter((path) => !path.includes('/containerd.sock')).sort()
}

function walk(root: string, depth = 8): string[] {
  if (depth === 0) return []
  let entries
  try { entries = readdirSync(root, { withFileTypes: true }) } catch { return [] }
  return entries.flatMap((entry) => [
    entry.name,
    ...(entry.isDirectory() ? walk(join(root, entry.name), depth - 1).map((name) => join(entry.name, name)) : []),
  ]).filter((name) => root !== '/sys/fs/cgroup' || !name.includes('.'))
}

function subtract(all: readonly string[], known: readonly string[]): string[] {
  const left = new Map<string, number>()
  for (const line of known) left.set(line, (left.get(line) ?? 0) + 1)
  return all.filter((line) => {
    const count = left.get(line) ?? 0
    left.set(line, count - 1)
    return count <= 0
  })
}

function link(path: string): string {
  try { return readlinkSync(path) } catch { return '' }
}

function read(path: string): string {
  try { return readFileSync(path, 'utf8') } catch { return '' }
}
