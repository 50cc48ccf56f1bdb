/** Who a container is, what it may do, and what is refused with a reason that a user can act on. */
import { expect } from 'vitest'
import { forEachRuntime } from '../lanes.ts'
import { eventually, idle, Pod, script } from '../pod.ts'

const refused = { runc: 'runc shares the node\'s namespaces when asked' }
/** containerd 2.1 tells kubelet only of runc's shim what it can; runc 1.1 maps no ids of mounts. */
const userNamespaces = { runc: 'runc 1.1 maps no ids of mounts', ...(process.env['KATA_TS_KUBERNETES_CONTAINERD'] === '2.2' ? {} : { 'kata-ts': 'KATA_TS_KUBERNETES_CONTAINERD=2.2 only' }) }
const namespaces = [['hostNetwork', 'network'], ['hostPID', 'PID'], ['hostIPC', 'IPC']] as const

forEachRuntime('security', [
  {
    name: 'user, groups, capabilities, seccomp, read-only root',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'user', { spec: { securityContext: { supplementalGroups: [555], fsGroup: 666 },
        volumes: [{ name: 'd', emptyDir: {} }],
        containers: [idle('main', { volumeMounts: [{ name: 'd', mountPath: '/d' }], securityContext: { runAsUser: 1234, runAsGroup: 2000, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, seccompProfile: { type: 'RuntimeDefault' } } })] } })
      expect(await pod.shell('id -u; id -g; id -G')).toBe('1234\n2000\n2000 555 666')
      expect(await pod.shell('grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/1/status | tr -d "[:blank:]"')).toBe('CapEff:0000000000000000\nNoNewPrivs:1\nSeccomp:2')
      expect((await pod.try(['touch', '/x'])).stderr).toContain('Read-only')
      expect(await pod.shell('touch /d/f; stat -c %g /d/f')).toBe('666')
    },
  },
  {
    name: 'privileged may mount and has devices; never the node\'s under kata-ts',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'privileged', { spec: { containers: [idle('main', { securityContext: { privileged: true } })] } })
      expect(await pod.shell('mkdir /m; mount -t tmpfs none /m; stat -f -c %T /m')).toBe('tmpfs')
      expect(await pod.shell('test -c /dev/kmsg && echo device')).toBe('device')
      const node = (await cluster.node('ls', '/dev')).stdout.split('\n').filter((name) => /^(vd[a-z]|sd[a-z]|nvme\w+)$/.test(name))
      if (runtime === 'kata-ts') for (const disk of node) expect((await pod.try(['test', '-e', `/dev/${disk}`])).code, disk).not.toBe(0)
    },
  },
  {
    name: 'hostUsers: false: root of the pod is nobody outside, and its volumes are its own all the same',
    not: userNamespaces,
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'users', {
        with: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'users-settings' }, data: { 'app.conf': 'a=1' } }],
        spec: { hostUsers: false, securityContext: { fsGroup: 2000 },
          volumes: [{ name: 'd', emptyDir: {} }, { name: 'm', emptyDir: { medium: 'Memory' } }, { name: 'c', configMap: { name: 'users-settings', defaultMode: 0o440 } }],
          containers: [idle('main', { volumeMounts: [{ name: 'd', mountPath: '/d' }, { name: 'm', mountPath: '/m' }, { name: 'c', mountPath: '/c' }] })] } })
      expect(await pod.shell('id -u; awk "{print \\$1, (\\$2 >= 65536)}" /proc/self/uid_map')).toBe('0\n0 1')
      expect(await pod.shell('cat /c/app.conf; stat -Lc "%u:%g" /c/app.conf; for v in /d /m; do echo x > $v/f; stat -c "%u:%g" $v $v/f; done')).toBe('a=10:2000\n0:2000\n0:2000\n0:2000\n0:2000')
    },
  },
  ...namespaces.map(([field, kind]) => ({
    name: `${field} is refused by an event that names cause and fix`,
    not: refused,
    run: async (cluster: Parameters<typeof Pod.apply>[0]) => {
      const pod = await Pod.apply(cluster, 'kata-ts', 'refused', { spec: { [field]: true, containers: [idle()] } })
      const message = await eventually('the event', async () => (await pod.events()).find((event) => /FailedCreatePodSandBox|Failed:/.test(event)))
      expect(message).toContain(kind)
      expect(message).toMatch(new RegExp(`${field}|host ${kind} namespace|runc`))
    },
  })),
  {
    name: 'an image without the command: the event names it',
    run: async (cluster, runtime) => {
      const pod = await Pod.apply(cluster, runtime, 'missing', { spec: { restartPolicy: 'Never', containers: [idle('main', { command: ['/no/such/program'] })] } })
      await pod.finished('Failed')
      expect((await pod.events()).join('\n')).toMatch(/\/no\/such\/program.*(no such file|ENOENT)/i)
      expect(await pod.field('.status.containerStatuses[0].state.terminated.reason')).toMatch(/StartError|ContainerCannotRun/)
    },
  },
  {
    name: 'fuse and tun devices where the container may have them',
    run: async (cluster, runtime) => {
      const pod = await Pod.apply(cluster, runtime, 'devices', { spec: { restartPolicy: 'Never', containers: [
        script('mkdir -p /dev/net; [ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200; exec 3<>/dev/net/tun && echo tun', 'main', { securityContext: { privileged: true } })] } })
      await pod.finished('Succeeded')
      expect(await pod.logs()).toContain('tun')
    },
  },
])
