import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import type { ProcessView } from '../../../../shim/cli/attest/process-view.ts'
import { checkout } from '../../../e2e/stack.ts'
import { contained, escaped, type Attack, type Verdict } from '../../attack.ts'
import { oursRuntime } from '../../options.ts'
import { configureShims } from '../../shim-settings.ts'
import type { Site } from '../../site.ts'

type View = ProcessView & { role: 'vmm' | 'virtiofsd' | 'vsock' }

/** Directories below / that hold programs, libraries and their cache, read-only. */
const programRoots = ['etc', 'lib', 'lib64', 'usr', 'opt', checkout.split('/')[1] ?? '']
/** What may lie in a root beside them. */
const ownRoots: Readonly<Record<View['role'], readonly string[]>> = { vmm: ['guest', 'dev'], vsock: ['sockets'], virtiofsd: [] }
/** Files that may be open, beside what has no path: the devices that were handed over. */
const openDevices = /^(\/null|socket|pipe|memfd|anon_inode:.*|\/dev\/(kvm|null|net\/tun|vhost-net|vhost-vsock))$/
const shareCapabilities = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'SETGID', 'SETUID', 'MKNOD', 'SETFCAP']

/** What a process of each role is, exactly; pids, ids and sizes apart. */
function expected(role: View['role'], isParent: boolean): object {
  const nobody = { groups: [], bounding: [], noNewPrivs: true, sharedNamespaces: [], signals: [], traces: [], tasksLimited: true, memoryLimited: true, root: [], openFiles: [], writable: [], coreLimitBytes: 1 }
  if (role !== 'virtiofsd') return { ...nobody, isRoot: false, capabilities: [], seccomp: 2 }
  // Its parent waits for the worker, and has given up everything.
  return { ...nobody, isRoot: true, capabilities: isParent ? [] : shareCapabilities, seccomp: isParent ? 0 : 2 }
}

/** The view in the form of `expected`: what everybody of the role has is left out of the lists. */
function seen({ role, root, openFiles, writable, groups, bounding, noNewPrivs, sharedNamespaces, signals, traces, coreLimitBytes, capabilities, seccomp, uid, tasksLimit, memoryLimitBytes }: View, containerId: string): object {
  // virtiofsd's root is the share itself.
  const share = role === 'virtiofsd'
  const inShare = (path: string) => path.startsWith(`/${containerId}/rootfs`) || path.startsWith('/.binds/')
  // The share, what the guest has open of it, and its own threads in /proc, where it labels files.
  const openInShare = (path: string) => ['/', '/1/task', `/${containerId}`, '/.binds'].includes(path) || inShare(path)
  return {
    groups, bounding, noNewPrivs, sharedNamespaces, signals, traces, coreLimitBytes, capabilities, seccomp,
    isRoot: uid === 0, tasksLimited: tasksLimit !== undefined, memoryLimited: memoryLimitBytes !== undefined,
    root: root.filter(name => share ? name !== '.binds' && name !== containerId : ![...programRoots, ...ownRoots[role]].includes(name)),
    openFiles: openFiles.filter(file => !openDevices.test(file) && !(share && openInShare(file))),
    writable: writable.filter(path => share ? !inShare(path) : !(role === 'vsock' && path === '/sockets')),
  }
}

let drill: string | undefined
function views(shim: number): View[] {
  drill ??= `${checkout}/build/test/isolation/drill`
  mkdirSync(`${checkout}/build/test/isolation`, { recursive: true })
  execFileSync(`${checkout}/hack/build-bin`, ['--bundle', 'test/isolation/programs/drill.ts', '-o', drill], { cwd: checkout, stdio: ['ignore', 'ignore', 'inherit'] })
  return JSON.parse(execFileSync(drill, [String(shim)], { encoding: 'utf8', maxBuffer: 64 << 20 })) as View[] // our own program's
}

async function run(site: Site): Promise<Verdict> {
  const container = await site.start()
  // The task's pid is the VMM's, whose parent is the shim.
  const { pid } = await container.state()
  const shim = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  const found = views(shim)
  if (!found.some(view => view.role === 'vmm' && view.pid === pid)) throw new Error(`the VMM ${pid} is none of ${found.map(view => `${view.name} ${view.pid}`).join(', ')}`)
  const wrong = found.flatMap((view) => {
    const [is, should] = [seen(view, container.containerId), expected(view.role, view.capabilities.length === 0)] as Record<string, unknown>[]
    return Object.keys(should ?? {}).filter(key => JSON.stringify(is?.[key]) !== JSON.stringify(should?.[key])).map(key => `${view.name}: ${key} ${JSON.stringify(is?.[key])?.slice(0, 60)}`)
  })
  if (wrong.length > 0) return escaped(wrong.join('; '))
  const told = found.map(({ name, uid, capabilities, root, writable }) => `${name}: uid ${uid}, ${capabilities.length} capabilities, sees ${root.length} names in /, writes ${writable.length} paths`)
  return contained(`own namespaces, nobody to signal or trace, limits; ${told.join('; ')}`)
}

/** A VMM, virtiofsd or vsock daemon that its guest has taken over is looked at from inside: what it could see, write, signal, trace and use up. */
export const attack: Attack = {
  id: 'vmm-drill',
  title: 'VMM, virtiofsd and vsock daemon taken over: what each could see and do',
  family: 'guest',
  leak: 'the host\'s files, processes and users',
  bound: 'guest',
  notFor: runtime => runtime === oursRuntime ? undefined : 'knows this runtime\'s processes only',
  run,
  control: {
    weak: 'the same without confinement, as root',
    runtime: oursRuntime,
    run: async (site) => {
      const { stack } = site.host
      if (!stack) throw new Error('a given containerd has its configuration elsewhere: run this case on the private one')
      configureShims(stack, '[hypervisor]\nconfinement = false\nunprivileged = false\nsandbox = false\n')
      return await run(site)
    },
  },
}
