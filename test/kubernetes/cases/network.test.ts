/** A pod on the network: its address, its services, host ports, and what the node's packet filter says. */
import { expect, onTestFinished } from 'vitest'
import { forEachRuntime } from '../lanes.ts'
import type { Runtime } from '../lanes.ts'
import { eventually, idle, Pod, script } from '../pod.ts'
import type { Container, PodShape } from '../pod.ts'

const server = (more: Record<string, unknown> = {}): Container =>
  script('mkdir /www; hostname >/www/name; trap "exit 0" TERM; httpd -p 8080 -h /www; while :; do sleep 1000 & wait; done', 'web',
    { readinessProbe: { httpGet: { path: '/name', port: 8080 }, periodSeconds: 1, timeoutSeconds: 5 }, ...more })
const serving = (more: Partial<PodShape> = {}): PodShape => ({ spec: { containers: [server()] }, ...more })
const fetch = (address: string, port = 8080): string => `wget -q -O - http://${address}:${port}/name`
const hostPorts: Record<Runtime, number> = { 'runc': 18081, 'kata-ts': 18082 }

forEachRuntime('network', [
  {
    name: 'pods reach each other and the node, on IPv4 and IPv6; each has the address the cluster says',
    run: async (cluster, runtime) => {
      const web = await Pod.ready(cluster, runtime, 'web', serving())
      const client = await Pod.ready(cluster, runtime, 'client', { spec: { containers: [idle()] } })
      const address = await web.field('.status.podIP')
      expect(await web.shell('ip -4 -o addr show dev eth0')).toContain(`${address}/`)
      expect(await client.shell(fetch(address))).toBe(web.name)
      expect((await cluster.node('curl', '-sS', `http://${address}:8080/name`)).stdout.trim()).toBe(web.name)
      const addresses = (await web.field('.status.podIPs[*].ip')).split(' ')
      for (const six of addresses.filter((ip) => ip.includes(':'))) expect(await client.shell(fetch(`[${six}]`))).toBe(web.name)
      expect(await client.shell('ip route | grep -c ^default')).toBe('1')
    },
  },
  {
    name: 'a Service finds its pods, by address and as the pod itself',
    run: async (cluster, runtime) => {
      const service = `service-${runtime}`
      const web = await Pod.ready(cluster, runtime, 'backend', serving({ labels: { app: service }, with: [
        { apiVersion: 'v1', kind: 'Service', metadata: { name: service }, spec: { selector: { app: service }, ports: [{ port: 80, targetPort: 8080 }] } }] }))
      const client = await Pod.ready(cluster, runtime, 'caller', { spec: { containers: [idle()] } })
      const address = await cluster.field(`service/${service}`, '.spec.clusterIP')
      await eventually('the service to answer', async () => (await client.try(['sh', '-c', fetch(address, 80)])).stdout.trim() === web.name || undefined, 60)
      expect(await web.shell(fetch(address, 80))).toBe(web.name)
    },
  },
  {
    name: 'hostPort leads to the pod',
    run: async (cluster, runtime) => {
      const web = await Pod.ready(cluster, runtime, 'hostport', { spec: { containers: [server({ ports: [{ containerPort: 8080, hostPort: hostPorts[runtime] }] })] } })
      expect((await cluster.node('curl', '-sS', '--max-time', '20', `http://192.0.2.10:${hostPorts[runtime]}/name`)).stdout.trim()).toBe(web.name)
    },
  },
  {
    name: 'the node\'s packet filter, which NetworkPolicy is made of, sees and stops the pod\'s packets',
    run: async (cluster, runtime) => {
      const web = await Pod.ready(cluster, runtime, 'guarded', serving())
      const address = await web.field('.status.podIP')
      const fetched = (): Promise<number | null> => cluster.node('curl', '-sS', '--max-time', '30', `http://${address}:8080/name`).then(({ code }) => code)
      expect(await fetched()).toBe(0)
      onTestFinished(async () => { await cluster.node('nft', 'delete', 'table', 'inet', 'guard') })
      await cluster.node('nft', `add table inet guard; add chain inet guard out { type filter hook output priority 0; }; add rule inet guard out ip daddr ${address} tcp dport 8080 counter reject with tcp reset`)
      expect(await fetched()).not.toBe(0)
      expect((await cluster.node('nft', 'list', 'table', 'inet', 'guard')).stdout).toMatch(/packets [1-9]/)
    },
  },
  {
    name: 'the API server is reachable from the pod, and the pod has its account\'s token',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'api', { spec: { automountServiceAccountToken: true, enableServiceLinks: true, containers: [idle()] } })
      const base = '/var/run/secrets/kubernetes.io/serviceaccount'
      expect(await pod.shell(`cat ${base}/namespace`)).toBe('default')
      // busybox's TLS is too old for the API server: the pod reaches it, and its token is tried from outside.
      expect(await pod.shell('nc -w 20 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT </dev/null && echo reached')).toBe('reached')
      const who = await cluster.kubectl('auth', 'whoami', `--token=${await pod.shell(`cat ${base}/token`)}`, '-o', 'jsonpath={.status.userInfo.username}')
      expect(who).toBe('system:serviceaccount:default:default')
    },
  },
])
