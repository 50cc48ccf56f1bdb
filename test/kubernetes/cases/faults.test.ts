/**
 * What may go wrong on a node, and that no pod is lost and nothing is left by it.
 *
 *   KATA_TS_KUBERNETES_RESTARTS=200   restarts of the crash-looping pod (6)
 *   KATA_TS_KUBERNETES_PODS=20        pods at once (20)
 */
import { expect, onTestFinished } from 'vitest'
import { footprint } from '../../e2e/leaks.ts'
import { Cluster } from '../cluster.ts'
import { forEachRuntime } from '../lanes.ts'
import type { Runtime } from '../lanes.ts'
import { holdings, shimOf } from '../node.ts'
import { eventually, idle, Pod, podManifest, script, uniqueName } from '../pod.ts'

const restarts = Number(process.env['KATA_TS_KUBERNETES_RESTARTS'] ?? 6)
const crowd = Number(process.env['KATA_TS_KUBERNETES_PODS'] ?? 20)

/** Ends a daemon as a crash does, and starts it again as the node's init would. */
function crash(cluster: Cluster, daemon: 'containerd' | 'kubelet'): void {
  process.kill(cluster.pid(daemon), 'SIGKILL')
  Cluster.up()
}
const restartCount = (pod: Pod): Promise<string> => pod.field('.status.containerStatuses[0].restartCount')
const survivor = (cluster: Cluster, runtime: Runtime, of: string): Promise<Pod> =>
  Pod.ready(cluster, runtime, of, { spec: { containers: [idle('main', { command: ['sh', '-c', 'n=0; trap "exit 0" TERM; while :; do n=$((n+1)); echo tick $n; sleep 1; done'] })] } })
const identity = (pod: Pod): Promise<string> => pod.shell('cut -d" " -f22 /proc/1/stat; hostname')
const ticks = async (pod: Pod): Promise<number> => Number(((await pod.logs()).match(/tick (\d+)\n$/) ?? [])[1] ?? 0)

forEachRuntime('faults', [
  {
    name: `a pod that crashes ${restarts} times gains nothing by it`,
    run: async (cluster, runtime) => {
      const pod = await Pod.apply(cluster, runtime, 'crashing', { spec: { containers: [idle('steady'), script('exit 1', 'crashing')] } })
      const crashed = (count: number): Promise<true> => eventually(`${count} restarts`, async () =>
        Number(await pod.field('.status.containerStatuses[?(@.name=="crashing")].restartCount')) >= count || undefined, 120 + 10 * count)
      await crashed(3)
      const shim = shimOf(cluster, await pod.field('.metadata.uid'))
      const [early, before] = [footprint(shim), holdings(cluster)]
      await crashed(restarts)
      const [late, after] = [footprint(shim), holdings(cluster)]
      // One restart is under way at either moment: what it holds may differ, what hundreds left would show.
      expect(late.fds).toBeLessThanOrEqual(early.fds + 12)
      expect(late.threads).toBeLessThanOrEqual(early.threads + 12)
      for (const [what, count] of Object.entries(after)) expect(count, what).toBeLessThanOrEqual((before[what as keyof typeof before]) + 12)
      expect(await pod.field('.status.containerStatuses[?(@.name=="steady")].restartCount')).toBe('0')
    },
  },
  {
    name: `${crowd} pods at once start, answer and stop, and leave nothing`,
    run: async (cluster, runtime) => {
      const before = holdings(cluster)
      const names = Array.from({ length: crowd }, () => uniqueName(runtime, 'crowd'))
      onTestFinished(async () => { await cluster.try(['delete', 'pods', '--ignore-not-found', ...names]) })
      await cluster.apply(...names.map((name) => podManifest(runtime, name, { spec: { containers: [idle()] } })))
      await cluster.kubectl('wait', ...names.map((name) => `pod/${name}`), '--for=condition=Ready', '--timeout=230s')
      const answers = await Promise.all(names.map((name) => cluster.kubectl('exec', name, '--', 'hostname')))
      expect(answers.map((answer) => answer.trim())).toEqual(names)
      await cluster.kubectl('delete', 'pods', ...names, '--timeout=200s')
      await eventually('the node to be as before', async () => JSON.stringify(holdings(cluster)) === JSON.stringify(before) || undefined, 60)
        .catch((cause: unknown) => { throw new Error(`before ${JSON.stringify(before)}, after ${JSON.stringify(holdings(cluster))}`, { cause }) })
    },
  },
  {
    name: 'kubelet killed: the pod goes on, its log too',
    run: async (cluster, runtime) => {
      const pod = await survivor(cluster, runtime, 'kubelet')
      const before = await identity(pod)
      crash(cluster, 'kubelet')
      await eventually('the node to answer', async () => (await pod.try(['true'])).code === 0 || undefined)
      expect(await identity(pod)).toBe(before)
      expect(await restartCount(pod)).toBe('0')
    },
  },
  {
    name: 'containerd killed: the pod goes on, is reachable, and logs on',
    run: async (cluster, runtime) => {
      const pod = await survivor(cluster, runtime, 'containerd')
      const before = await identity(pod)
      crash(cluster, 'containerd')
      await eventually('exec to work again', async () => (await pod.try(['true'])).code === 0 || undefined)
      expect(await identity(pod)).toBe(before)
      const seen = await ticks(pod)
      await eventually('the log to go on', async () => (await ticks(pod)) > seen || undefined, 30)
      expect(await restartCount(pod)).toBe('0')
    },
  },
  {
    name: 'shim killed: kubelet makes the pod anew',
    run: async (cluster, runtime) => {
      const pod = await survivor(cluster, runtime, 'shim')
      process.kill(shimOf(cluster, await pod.field('.metadata.uid')), 'SIGKILL')
      await eventually('the container to be started again', async () => Number(await restartCount(pod)) >= 1 || undefined)
      await pod.until('condition=Ready')
      expect(await pod.shell('echo back')).toBe('back')
    },
  },
])
