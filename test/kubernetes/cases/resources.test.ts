/** Limits, what happens at them, and what they are told to be. */
import { expect } from 'vitest'
import type { Cluster } from '../cluster.ts'
import { forEachRuntime } from '../lanes.ts'
import { eventually, idle, Pod, script } from '../pod.ts'

/** A cgroup v2 file of the container, or its v1 namesake where the node has v1 (runc here; the guest has v2). */
const limit = (v2: string, v1: string): string => `cat /sys/fs/cgroup/${v2} 2>/dev/null || cat /sys/fs/cgroup/${v1}`
const memoryLimit = limit('memory.max', 'memory/memory.limit_in_bytes')
const cpuQuota = `cut -d" " -f1 /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us`
const mebibytes = (count: number): string => String(count * 1024 * 1024)

interface Summary { pods: { podRef: { name: string }; containers: { name: string; cpu?: { usageCoreNanoSeconds?: number }; memory?: { workingSetBytes?: number } }[] }[] }
async function summary(cluster: Cluster, pod: Pod): Promise<Summary['pods'][number] | undefined> {
  const all = JSON.parse(await cluster.kubectl('get', '--raw', '/api/v1/nodes/node/proxy/stats/summary')) as Summary // kubelet's stats/v1alpha1
  return all.pods.find(({ podRef }) => podRef.name === pod.name)
}

forEachRuntime('resources', [
  {
    name: 'limits and requests are the container\'s cgroup',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'limits', { spec: { containers: [
        idle('small', { resources: { limits: { memory: '48Mi', cpu: '250m' }, requests: { memory: '24Mi', cpu: '100m' } } }),
        idle('large', { resources: { limits: { memory: '96Mi', cpu: '500m' } } })] } })
      expect(await pod.shell(memoryLimit, 'small')).toBe(mebibytes(48))
      expect(await pod.shell(memoryLimit, 'large')).toBe(mebibytes(96))
      expect(await pod.shell(cpuQuota, 'small')).toBe('25000')
      expect(await pod.shell(cpuQuota, 'large')).toBe('50000')
      expect(await pod.field('.status.qosClass')).toBe('Burstable')
    },
  },
  {
    name: 'a container over its memory limit: OOMKilled, exit 137; its neighbour goes on',
    run: async (cluster, runtime) => {
      const pod = await Pod.apply(cluster, runtime, 'oom', { spec: { restartPolicy: 'Never', containers: [
        script('sleep 1; tail -c 200m /dev/zero', 'greedy', { resources: { limits: { memory: '32Mi' } } }), idle('neighbour')] } })
      await pod.until('jsonpath={.status.containerStatuses[?(@.name=="greedy")].state.terminated.reason}=OOMKilled')
      expect(await pod.field('.status.containerStatuses[?(@.name=="greedy")].state.terminated.exitCode')).toBe('137')
      expect(await pod.shell('echo alive', 'neighbour')).toBe('alive')
      expect(await pod.field('.status.containerStatuses[?(@.name=="neighbour")].restartCount')).toBe('0')
    },
  },
  {
    name: 'an OOM kill of a child process leaves the container running',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'child', { spec: { containers: [idle('main', { resources: { limits: { memory: '48Mi' } } })] } })
      const { code } = await pod.try(['sh', '-c', 'tail -c 200m /dev/zero; exit $?'])
      expect(code).toBe(137)
      expect(await pod.shell('echo alive')).toBe('alive')
    },
  },
  {
    name: 'in-place resize up and down without a restart',
    run: async (cluster, runtime) => {
      const resources = (memory: string, cpu: string) => ({ limits: { memory, cpu }, requests: { memory, cpu } })
      const pod = await Pod.ready(cluster, runtime, 'resize', { spec: { containers: [idle('main', { resources: resources('64Mi', '200m') })] } })
      for (const [memory, cpu, quota] of [['128', '600m', '60000'], ['64', '200m', '20000']] as const) {
        const patch = { spec: { containers: [{ name: 'main', resources: resources(`${memory}Mi`, cpu) }] } }
        await cluster.kubectl('patch', 'pod', pod.name, '--subresource', 'resize', '--patch', JSON.stringify(patch))
        await eventually(`${memory} MiB in the container`, async () => (await pod.shell(memoryLimit)) === mebibytes(Number(memory)) && (await pod.shell(cpuQuota)) === quota || undefined)
        await eventually('its status to say so', async () => (await pod.field('.status.containerStatuses[0].resources.limits.memory')) === `${memory}Mi` || undefined)
      }
      expect(await pod.field('.status.containerStatuses[0].restartCount')).toBe('0')
    },
  },
  {
    name: 'more memory than the sandbox had is usable after a resize',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'grow', { spec: { containers: [idle('main', { resources: { limits: { memory: '64Mi' }, requests: { memory: '64Mi' } } })] } })
      await cluster.kubectl('patch', 'pod', pod.name, '--subresource', 'resize', '--patch',
        JSON.stringify({ spec: { containers: [{ name: 'main', resources: { limits: { memory: '512Mi' }, requests: { memory: '512Mi' } } }] } }))
      await eventually('512 MiB in the container', async () => (await pod.shell(memoryLimit)) === mebibytes(512) || undefined)
      expect(await pod.shell('head -c 384m /dev/zero | tail -c 384m | wc -c')).toBe(mebibytes(384))
    },
  },
  {
    name: 'the node\'s statistics show what containers use',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'stats', { spec: { volumes: [{ name: 'm', emptyDir: { medium: 'Memory' } }], containers: [
        idle('busy', { command: ['sh', '-c', 'while :; do :; done'], resources: { limits: { cpu: '300m' } } }),
        idle('full', { command: ['sh', '-c', 'head -c 40m /dev/zero >/m/f; sleep 100000'], volumeMounts: [{ name: 'm', mountPath: '/m' }] })] } })
      await eventually('the usage in the summary', async () => {
        const containers = (await summary(cluster, pod))?.containers ?? []
        const of = (name: string) => containers.find((container) => container.name === name)
        const used = (of('full')?.memory?.workingSetBytes ?? 0) >= 40 * 1024 * 1024 && (of('busy')?.cpu?.usageCoreNanoSeconds ?? 0) > 1e9
        return used ? true : undefined
      })
    },
  },
  {
    name: 'the pod\'s overhead is part of what the scheduler counts',
    not: { runc: 'a RuntimeClass has overhead, runc has none' },
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'overhead', { spec: { containers: [idle()] } })
      expect(await pod.field('.spec.overhead.memory')).toBe(await cluster.field('runtimeclass/kata-ts', '.overhead.podFixed.memory'))
    },
  },
  {
    name: 'probes: startup, readiness and liveness, by command, HTTP and TCP',
    run: async (cluster, runtime) => {
      const pod = await Pod.apply(cluster, runtime, 'probes', { spec: { containers: [
        script('mkdir /www; echo ok >/www/ok; httpd -p 8080 -h /www; while :; do sleep 1; done', 'web', {
          startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 60 }, readinessProbe: { httpGet: { path: '/ok', port: 8080 }, periodSeconds: 1, timeoutSeconds: 5 } }),
        script('touch /alive; trap "exit 0" TERM; while :; do sleep 1; done', 'living', { livenessProbe: { exec: { command: ['cat', '/alive'] }, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 1, initialDelaySeconds: 5 } })] } })
      await pod.until('condition=Ready')
      await pod.shell('rm /www/ok', 'web')
      await pod.until('condition=Ready=False')
      await pod.shell('echo ok >/www/ok', 'web')
      await pod.until('condition=Ready')
      await pod.shell('rm /alive', 'living')
      await pod.until('jsonpath={.status.containerStatuses[?(@.name=="living")].restartCount}=1')
      expect((await pod.events()).join('\n')).toMatch(/Unhealthy: Liveness probe failed/)
    },
  },
])
