/** What the pods hold on the node, seen from outside of the runtime. */
import { readdirSync, readFileSync } from 'node:fs'
import { commandLine } from '../e2e/leaks.ts'
import type { Cluster } from './cluster.ts'

function read(path: string): string { try { return readFileSync(path, 'utf8') } catch { return '' } }
const processes = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger)

/** Processes of this cluster: they carry the stack's mark, or (the VMM, whose environment is empty) see a mount of it. */
function marked(cluster: Cluster): number[] {
  return processes().filter((pid) => `\0${read(`/proc/${pid}/environ`)}`.includes(`\0KATA_TS_STACK=${cluster.directory}\0`) ||
    read(`/proc/${pid}/mountinfo`).includes(`${cluster.directory}/`))
}

/** The shim of the pod with this uid: its sandbox's cgroup or bundle names the pod. */
export function shimOf(cluster: Cluster, uid: string): number {
  const sandbox = sandboxOf(cluster, uid)
  const found = marked(cluster).find((pid) => /^\S*containerd-shim/.test(commandLine(pid)) && commandLine(pid).includes(sandbox))
  if (found === undefined) throw new Error(`no shim of pod ${uid}, sandbox ${sandbox}`)
  return found
}

function sandboxOf(cluster: Cluster, uid: string): string {
  const tasks = `${cluster.directory}/state/io.containerd.runtime.v2.task/k8s.io`
  const found = readdirSync(tasks).find((id) => {
    const spec = read(`${tasks}/${id}/config.json`)
    return spec.includes(`"io.kubernetes.cri.sandbox-uid":"${uid}"`) && spec.includes('"io.kubernetes.cri.container-type":"sandbox"')
  })
  if (found === undefined) throw new Error(`containerd has no sandbox of pod ${uid} in ${tasks}`)
  return found
}

/** How much there is of what pods leave when they leak. */
export function holdings(cluster: Cluster): { shims: number; machines: number; daemons: number; mounts: number; tasks: number; state: number; namespaces: number } {
  const lines = marked(cluster).map(commandLine)
  const count = (pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length
  const entries = (path: string): number => { try { return readdirSync(path).length } catch { return 0 } }
  const inside = `/proc/${cluster.pid('holder')}/root`
  return {
    shims: count(/^\S*containerd-shim/), machines: count(/^\S*qemu-system/), daemons: count(/^\S*(virtiofsd|vhost-device-vsock)/),
    mounts: read(`/proc/${cluster.pid('holder')}/mountinfo`).split('\n').length,
    tasks: entries(`${cluster.directory}/state/io.containerd.runtime.v2.task/k8s.io`),
    state: entries(`${inside}/run/kata-ts/k8s.io`), namespaces: entries(`${inside}/run/netns`),
  }
}
