/** What a pod's containers share, the order they start and end in, and how each of them ends. */
import { release } from 'node:os'
import { expect } from 'vitest'
import { forEachRuntime } from '../lanes.ts'
import { eventually, idle, Pod, script } from '../pod.ts'

const shared = { volumes: [{ name: 'shared', emptyDir: {} }] }
const mount = { volumeMounts: [{ name: 'shared', mountPath: '/shared' }] }

forEachRuntime('pods', [
  {
    name: 'the guest\'s own kernel, or the node\'s',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'kernel', { spec: { containers: [idle()] } })
      const kernel = await pod.shell('uname -r')
      if (runtime === 'runc') expect(kernel).toBe(release())
      else expect(kernel).not.toBe(release())
    },
  },
  {
    name: 'exit code, reason and termination message of each container',
    run: async (cluster, runtime) => {
      const pod = await Pod.apply(cluster, runtime, 'exit', {
        spec: { restartPolicy: 'Never', containers: [
          script('echo told >/dev/termination-log; exit 3', 'three'),
          script('echo last words; exit 4', 'four', { terminationMessagePolicy: 'FallbackToLogsOnError' }),
          script('exit 0', 'zero')] },
      })
      await pod.finished('Failed')
      const ended = (field: string): Promise<string> => pod.field(`.status.containerStatuses[*].state.terminated.${field}`)
      expect((await ended('exitCode')).split(' ').sort()).toEqual(['0', '3', '4'])
      expect((await ended('reason')).split(' ').sort()).toEqual(['Completed', 'Error', 'Error'])
      expect(await pod.field('.status.containerStatuses[?(@.name=="three")].state.terminated.message')).toBe('told\n')
      expect(await pod.field('.status.containerStatuses[?(@.name=="four")].state.terminated.message')).toBe('last words\n')
    },
  },
  {
    name: 'init containers one after the other, before the others',
    run: async (cluster, runtime) => {
      const pod = await Pod.apply(cluster, runtime, 'init', {
        spec: { ...shared, restartPolicy: 'Never',
          initContainers: [script('sleep 1; echo first >>/shared/order', 'one', mount), script('echo second >>/shared/order', 'two', mount)],
          containers: [script('echo third >>/shared/order; cat /shared/order', 'main', mount)] },
      })
      await pod.finished('Succeeded')
      expect(await pod.logs('main')).toBe('first\nsecond\nthird\n')
    },
  },
  {
    name: 'a sidecar starts before, serves, and ends after the others',
    run: async (cluster, runtime) => {
      const pod = await Pod.apply(cluster, runtime, 'sidecar', {
        spec: { ...shared, restartPolicy: 'Never',
          initContainers: [script('trap "echo sidecar >>/shared/ends; exit 0" TERM; echo up >/shared/up; while :; do sleep 1; done', 'side', {
            ...mount, restartPolicy: 'Always', startupProbe: { exec: { command: ['cat', '/shared/up'] }, periodSeconds: 1, failureThreshold: 60 } })],
          containers: [script('cat /shared/up; echo main >>/shared/ends', 'main', mount)] },
      })
      await pod.finished('Succeeded')
      expect(await pod.logs('main')).toBe('up\n')
      expect(await pod.field('.status.initContainerStatuses[0].state.terminated.exitCode')).toBe('0')
    },
  },
  {
    name: 'a container restarts inside its pod; address, volumes and neighbours stay',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'restart', {
        spec: { ...shared, containers: [
          script('echo x >>/shared/starts; trap "exit 7" TERM; while :; do sleep 1000 & wait; done', 'again', mount), idle('other', mount)] },
      })
      const before = [await pod.field('.status.podIP'), await pod.shell('cut -d" " -f22 /proc/1/stat', 'other')]
      for (const restarts of [1, 2]) {
        await pod.try(['kill', '1'], 'again')
        await pod.until(`jsonpath={.status.containerStatuses[?(@.name=="again")].restartCount}=${restarts}`)
        await pod.until('condition=Ready')
      }
      expect(await pod.field('.status.containerStatuses[?(@.name=="again")].lastState.terminated.exitCode')).toBe('7')
      expect(await pod.shell('cat /shared/starts', 'other')).toBe('x\nx\nx')
      expect([await pod.field('.status.podIP'), await pod.shell('cut -d" " -f22 /proc/1/stat', 'other')]).toEqual(before)
      expect(await pod.logs('again', '--previous')).toBe('')
    },
  },
  {
    name: 'kubectl debug adds a container that sees the target\'s processes',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'debug', { spec: { containers: [idle('main', { command: ['sleep', '987654'] })] } })
      await cluster.kubectl('debug', pod.name, '--image=docker.io/library/busybox:latest', '--image-pull-policy=IfNotPresent', '--container=debugger', '--target=main',
        '--profile=general', '--', 'sh', '-c', 'ps -o args; hostname; exit 5')
      await pod.until('jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}=5')
      const seen = await pod.logs('debugger')
      expect(seen).toContain('sleep 987654')
      expect(seen).toContain(pod.name)
    },
  },
  {
    name: 'containers see each other\'s processes only when the pod shares them',
    run: async (cluster, runtime) => {
      const containers = [idle('one', { command: ['sleep', '111111'] }), idle('two', { command: ['sleep', '222222'] })]
      const apart = await Pod.ready(cluster, runtime, 'apart', { spec: { containers } })
      expect(await apart.shell('ps -o pid,args', 'one')).toMatch(/^ +1 sleep 111111/m)
      expect(await apart.shell('ps -o args', 'one')).not.toContain('222222')
      const together = await Pod.ready(cluster, runtime, 'together', { spec: { shareProcessNamespace: true, containers } })
      const seen = await together.shell('ps -o pid,args', 'one')
      expect(seen).toContain('sleep 111111')
      expect(seen).toContain('sleep 222222')
      expect(seen).not.toMatch(/^ +1 sleep/m)
      // A signal reaches the neighbour, as users of this flag want it.
      await together.shell('kill -9 $(pidof sleep)', 'one').catch(() => undefined)
      await together.until('jsonpath={.status.containerStatuses[?(@.name=="two")].restartCount}=1')
    },
  },
  {
    name: 'containers share IPC and hostname, and no files',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'share', { spec: { containers: [idle('one'), idle('two')] } })
      await pod.shell('echo kept >/dev/shm/segment; echo x >/root-of-one', 'one')
      expect(await pod.shell('cat /dev/shm/segment', 'two')).toBe('kept')
      const namespaces = 'for kind in ipc net uts; do readlink /proc/self/ns/$kind; done'
      expect(await pod.shell(namespaces, 'two')).toBe(await pod.shell(namespaces, 'one'))
      expect((await pod.try(['cat', '/root-of-one'], 'two')).code).not.toBe(0)
      expect(await pod.shell('hostname', 'two')).toBe(pod.name)
    },
  },
  {
    name: 'sysctls of the pod',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'sysctl', {
        spec: { containers: [idle()], securityContext: { sysctls: [
          { name: 'net.ipv4.ip_local_port_range', value: '20000 30000' }, { name: 'kernel.shm_rmid_forced', value: '1' },
          { name: 'net.core.somaxconn', value: '777' }, { name: 'kernel.msgmax', value: '12345' }] } },
      })
      expect(await pod.shell('cat /proc/sys/net/ipv4/ip_local_port_range /proc/sys/kernel/shm_rmid_forced /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax'))
        .toBe('20000\t30000\n1\n777\n12345')
    },
  },
  {
    name: 'hostname, hosts and resolv.conf',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'names', {
        spec: { hostname: 'chosen', subdomain: 'sub', setHostnameAsFQDN: true, containers: [idle()],
          hostAliases: [{ ip: '192.0.2.77', hostnames: ['alias.example'] }],
          dnsConfig: { nameservers: ['192.0.2.54'], searches: ['more.example'], options: [{ name: 'ndots', value: '2' }] } },
      })
      expect(await pod.shell('hostname')).toBe('chosen.sub.default.svc.cluster.local')
      const hosts = await pod.shell('cat /etc/hosts')
      expect(hosts).toMatch(/^192\.0\.2\.77\s+alias\.example$/m)
      expect(hosts).toMatch(new RegExp(`^${await pod.field('.status.podIP')}\\s+chosen\\.sub\\.default\\.svc\\.cluster\\.local\\s+chosen$`, 'm'))
      const resolver = await pod.shell('cat /etc/resolv.conf')
      expect(resolver).toContain('nameserver 10.96.0.10')
      expect(resolver).toContain('nameserver 192.0.2.54')
      expect(resolver).toMatch(/^search default\.svc\.cluster\.local .*stack\.example more\.example$/m)
      expect(resolver).toMatch(/^options ndots:2$/m)
    },
  },
  {
    name: 'hooks run at start and before the end, and the grace period is kept',
    run: async (cluster, runtime) => {
      const directory = `/var/log/hooks-${runtime}`
      await cluster.node('mkdir', '-p', directory)
      const pod = await Pod.ready(cluster, runtime, 'hooks', {
        spec: { volumes: [{ name: 'node', hostPath: { path: directory } }], containers: [
          script('trap "echo term >>/node/told; exit 0" TERM; while :; do sleep 1 & wait; done', 'main', {
            volumeMounts: [{ name: 'node', mountPath: '/node' }],
            lifecycle: { postStart: { exec: { command: ['sh', '-c', 'echo started >/node/told'] } }, preStop: { exec: { command: ['sh', '-c', 'echo stopping >>/node/told'] } } } })] },
      })
      await cluster.kubectl('delete', 'pod', pod.name)
      expect((await cluster.node('cat', `${directory}/told`)).stdout).toBe('started\nstopping\nterm\n')
    },
  },
  {
    name: 'a container that ignores TERM is killed after the grace period',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'stubborn', { spec: { containers: [script('trap "" TERM; while :; do sleep 1; done')], terminationGracePeriodSeconds: 2 } })
      const began = Date.now()
      await cluster.kubectl('delete', 'pod', pod.name, '--timeout=60s')
      expect(Date.now() - began).toBeGreaterThan(2000)
    },
  },
  {
    name: 'user namespaces (hostUsers: false)',
    not: {
      'runc': 'needs ID-mapped mounts, which runc has from 1.2 on; bookworm has 1.1',
      'kata-ts': 'kata-ts does not offer ID-mapped mounts yet, so kubelet refuses the pod with an event that says so',
    },
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'userns', { spec: { ...shared, hostUsers: false, containers: [idle('main', mount)] } })
      const [inside = '', outside = '', length = ''] = (await pod.shell('cat /proc/self/uid_map')).trim().split(/\s+/)
      expect(inside).toBe('0')
      expect(Number(outside)).toBeGreaterThan(0)
      expect(length).toBe('65536')
      expect(await pod.shell('id -u; touch /shared/f; stat -c %u:%g /shared/f')).toBe('0\n0:0')
    },
  },
  {
    name: 'environment from fields, resources, ConfigMaps and Secrets',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'environment', {
        with: [
          { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `environment-${runtime}` }, data: { COLOUR: 'blue' } },
          { apiVersion: 'v1', kind: 'Secret', metadata: { name: `environment-${runtime}` }, stringData: { word: 'swordfish' } }],
        spec: { containers: [idle('main', { resources: { limits: { memory: '64Mi', cpu: '500m' } }, envFrom: [{ configMapRef: { name: `environment-${runtime}` } }], env: [
          { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }, { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          { name: 'MEMORY', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
          { name: 'WORD', valueFrom: { secretKeyRef: { name: `environment-${runtime}`, key: 'word' } } }] })] },
      })
      expect(await pod.shell('echo $NAME $IP $MEMORY $WORD $COLOUR')).toBe(`${pod.name} ${await pod.field('.status.podIP')} 67108864 swordfish blue`)
    },
  },
  {
    name: 'a Deployment rolls out, scales and rolls over; a Job ends with its code',
    run: async (cluster, runtime) => {
      const name = `rollout-${runtime}`
      const template = (version: string) => ({ metadata: { labels: { app: name } }, spec: {
        ...(runtime === 'kata-ts' ? { runtimeClassName: runtime } : {}), terminationGracePeriodSeconds: 1, automountServiceAccountToken: false,
        containers: [idle('main', { image: 'docker.io/library/busybox:latest', imagePullPolicy: 'IfNotPresent', env: [{ name: 'VERSION', value: version }] })] } })
      const deployment = (version: string, replicas: number) => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name }, spec: { replicas, selector: { matchLabels: { app: name } }, template: template(version) } })
      try {
        await cluster.apply(deployment('1', 2))
        await cluster.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=180s')
        await cluster.apply(deployment('2', 1))
        await cluster.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=180s')
        expect((await cluster.kubectl('exec', `deployment/${name}`, '--', 'sh', '-c', 'echo $VERSION')).trim()).toBe('2')
        const { spec: podSpec, metadata } = template('1')
        await cluster.apply({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name }, spec: { completions: 2, backoffLimit: 0, template: { metadata, spec: { ...podSpec, restartPolicy: 'Never', containers: [script('echo done', 'main', { image: 'docker.io/library/busybox:latest', imagePullPolicy: 'IfNotPresent' })] } } } })
        await cluster.kubectl('wait', `job/${name}`, '--for=condition=Complete', '--timeout=180s')
        expect(await cluster.kubectl('logs', `job/${name}`, '--all-pods=true')).toMatch(/done\n.*done\n/s)
      } finally {
        await cluster.kubectl('delete', 'deployment,job', name, '--ignore-not-found', '--cascade=foreground', '--timeout=120s')
        await eventually('its pods to go', async () => (await cluster.kubectl('get', 'pods', '-l', `app=${name}`, '-o', 'name')) === '' || undefined)
      }
    },
  },
])
