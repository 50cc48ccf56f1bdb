/** Each kind of volume: what is in it, who sees it, and what becomes of it. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, onTestFinished } from 'vitest'
import { checkout } from '../cluster.ts'
import type { Cluster } from '../cluster.ts'
import { forEachRuntime } from '../lanes.ts'
import type { Runtime } from '../lanes.ts'
import { busybox, eventually, idle, Pod } from '../pod.ts'

const configMap = (name: string, data: Record<string, string>, more = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data, ...more })
const mounted = (name: string, mountPath: string, more = {}) => ({ name, mountPath, ...more })

/** A static program that reports inotify events, as a ConfigMap can carry it. */
function watcher(): string {
  const directory = mkdtempSync(`${tmpdir()}/kata-ts-watch-`)
  execFileSync('musl-gcc', ['-static', '-Os', '-s', '-o', `${directory}/watch`, `${checkout}/test/kubernetes/programs/watch-directory.c`])
  const bytes = readFileSync(`${directory}/watch`).toString('base64')
  rmSync(directory, { recursive: true })
  return bytes
}

/** A directory of the node's disk that goes when the test ends. */
async function nodeDirectory(cluster: Cluster, runtime: Runtime, of: string): Promise<string> {
  const path = `${cluster.directory}/volumes/${of}-${runtime}`
  await cluster.node('mkdir', '-p', path)
  onTestFinished(async () => { await cluster.node('rm', '-rf', path) })
  return path
}

forEachRuntime('volumes', [
  {
    name: 'ConfigMap, Secret, downward API and projected volumes have their content, modes and owners',
    run: async (cluster, runtime) => {
      const name = `content-${runtime}`
      const pod = await Pod.ready(cluster, runtime, 'content', {
        labels: { colour: 'green' },
        with: [configMap(name, { key: 'value', other: 'unused' }), { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: { password: 'hunter2' } }],
        spec: { securityContext: { fsGroup: 4321 },
          volumes: [
            { name: 'cm', configMap: { name, items: [{ key: 'key', path: 'deep/renamed', mode: 0o400 }] } }, { name: 'secret', secret: { secretName: name, defaultMode: 0o440 } },
            { name: 'downward', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
            { name: 'all', projected: { sources: [{ configMap: { name } }, { secret: { name } }, { serviceAccountToken: { path: 'token' } }] } }],
          containers: [idle('main', { volumeMounts: [mounted('cm', '/cm'), mounted('secret', '/secret'), mounted('downward', '/downward'), mounted('all', '/all'), mounted('cm', '/single', { subPath: 'deep/renamed' })] })] },
      })
      expect(await pod.shell('cat /cm/deep/renamed; echo; cat /secret/password; echo; cat /single; echo; grep colour /downward/labels; cat /all/key /all/password; echo; cut -c1-2 /all/token'))
        .toBe('value\nhunter2\nvalue\ncolour="green"\nvaluehunter2\ney')
      expect(await pod.shell('stat -L -c "%a %g" /secret/password /cm/deep/renamed')).toBe('440 4321\n440 4321')
      expect((await pod.try(['sh', '-c', 'echo x >/cm/new'])).code).not.toBe(0)
      expect((await pod.try(['sh', '-c', 'echo x >/secret/password'])).code).not.toBe(0)
      expect(await pod.shell('readlink /secret/password')).toBe('..data/password')
    },
  },
  {
    name: 'updates arrive whole, together and in order, and inotify tells of them',
    run: async (cluster, runtime) => {
      const name = `live-${runtime}`
      const pod = await Pod.ready(cluster, runtime, 'live', {
        with: [configMap(name, { a: '0', b: '0' }), configMap(`${name}-watch`, {}, { binaryData: { watch: watcher() } })],
        labels: { generation: '0' },
        spec: {
          volumes: [{ name: 'cm', configMap: { name } }, { name: 'tool', configMap: { name: `${name}-watch`, defaultMode: 0o755 } }, { name: 'downward', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } }],
          containers: [
            // Both files through one open directory: what one generation shows together must be equal.
            idle('reader', { volumeMounts: [mounted('cm', '/cm')], command: ['sh', '-c', 'last=; while :; do d=$(readlink /cm/..data); set -- $(cat /cm/$d/a 2>/dev/null) $(cat /cm/$d/b 2>/dev/null); [ $# = 2 ] && [ "$1$2" != "$last" ] && { last=$1$2; echo "$1 $2"; }; sleep 0.1; done'] }),
            idle('watcher', { volumeMounts: [mounted('cm', '/cm'), mounted('tool', '/tool'), mounted('downward', '/downward')], command: ['/tool/watch', '/cm'] })] },
      })
      for (const value of ['1', '2']) {
        await cluster.apply(configMap(name, { a: value, b: value }))
        await eventually(`generation ${value} in the pod`, async () => (await pod.logs('reader')).includes(`${value} ${value}`) || undefined)
      }
      expect(await pod.logs('reader')).toBe('0 0\n1 1\n2 2\n')
      await eventually('inotify to tell', async () => (await pod.logs('watcher')).match(/saw \.\.data\n[^]*saw \.\.data\n/) ?? undefined, 10)
      await cluster.kubectl('label', 'pod', pod.name, '--overwrite', 'generation=1')
      await eventually('the label in the pod', async () => (await pod.shell('cat /downward/labels', 'watcher')).includes('generation="1"') || undefined)
    },
  },
  {
    name: 'emptyDir on disk and in memory: shared, sized, kept over a restart, gone with the pod',
    run: async (cluster, runtime) => {
      const volumeMounts = [mounted('disk', '/disk'), mounted('memory', '/memory')]
      const pod = await Pod.ready(cluster, runtime, 'empty', {
        spec: { volumes: [{ name: 'disk', emptyDir: {} }, { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } }],
          containers: [idle('one', { volumeMounts }), idle('two', { volumeMounts })] },
      })
      await pod.shell('echo a >/disk/f; echo b >/memory/f; mkfifo /disk/pipe', 'one')
      expect(await pod.shell('cat /disk/f /memory/f; test -p /disk/pipe', 'two')).toBe('a\nb')
      expect(await pod.shell('stat -f -c %T /memory', 'one')).toBe('tmpfs')
      expect(await pod.shell('stat -c %a /disk /memory', 'one')).toBe('777\n1777')
      expect(Number(await pod.shell('df -k /memory | tail -n1 | awk "{print \\$2}"', 'one'))).toBe(16 * 1024)
      expect((await pod.try(['dd', 'if=/dev/zero', 'of=/memory/full', 'bs=1M', 'count=32'], 'two')).code).not.toBe(0)
      await pod.shell('rm /memory/full', 'two')
      await pod.try(['kill', '1'], 'one')
      await pod.until('jsonpath={.status.containerStatuses[?(@.name=="one")].restartCount}=1')
      await pod.until('condition=Ready')
      expect(await pod.shell('cat /disk/f /memory/f', 'one')).toBe('a\nb')
    },
  },
  {
    name: 'hostPath: directory, file and socket directory; written on both sides; read-only is kept',
    run: async (cluster, runtime) => {
      const path = await nodeDirectory(cluster, runtime, 'host')
      await cluster.node('sh', '-c', `echo node >${path}/file; mkdir ${path}/nested`)
      const pod = await Pod.ready(cluster, runtime, 'host', {
        spec: { volumes: [{ name: 'directory', hostPath: { path, type: 'Directory' } }, { name: 'file', hostPath: { path: `${path}/file`, type: 'File' } }, { name: 'made', hostPath: { path: `${path}/made`, type: 'DirectoryOrCreate' } }],
          containers: [idle('main', { volumeMounts: [mounted('directory', '/directory'), mounted('file', '/etc/file'), mounted('made', '/made', { readOnly: true })] })] },
      })
      expect(await pod.shell('cat /etc/file /directory/file')).toBe('node\nnode')
      await pod.shell('echo pod >/directory/nested/by-pod; chown 1234:2345 /directory/nested/by-pod; chmod 640 /directory/nested/by-pod')
      expect((await cluster.node('sh', '-c', `cat ${path}/nested/by-pod; stat -c %u:%g:%a ${path}/nested/by-pod`)).stdout).toBe('pod\n1234:2345:640\n')
      await cluster.node('sh', '-c', `echo later >${path}/later`)
      expect(await pod.shell('cat /directory/later')).toBe('later')
      expect((await pod.try(['touch', '/made/x'])).stderr).toContain('Read-only')
    },
  },
  {
    name: 'subPath and subPathExpr show only their part',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'sub', {
        spec: { volumes: [{ name: 'disk', emptyDir: {} }],
          containers: [idle('main', { env: [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
            volumeMounts: [mounted('disk', '/whole'), mounted('disk', '/part', { subPath: 'a/b' }), mounted('disk', '/own', { subPathExpr: 'pods/$(POD)' })] })] },
      })
      await pod.shell('echo x >/part/f; echo y >/own/f')
      expect(await pod.shell(`cat /whole/a/b/f /whole/pods/${pod.name}/f; ls /part`)).toBe('x\ny\nf')
    },
  },
  {
    name: 'a PersistentVolume as a filesystem outlives its pod',
    run: async (cluster, runtime) => {
      const path = await nodeDirectory(cluster, runtime, 'pv')
      const claim = await localVolume(cluster, runtime, 'files', 'Filesystem', path)
      const shape = { spec: { volumes: [{ name: 'pv', persistentVolumeClaim: { claimName: claim } }], containers: [idle('main', { volumeMounts: [mounted('pv', '/pv')] })] } }
      const first = await Pod.ready(cluster, runtime, 'pv', shape)
      await first.shell('echo kept >/pv/f; sync')
      await cluster.kubectl('delete', 'pod', first.name)
      const second = await Pod.ready(cluster, runtime, 'pv', shape)
      expect(await second.shell('cat /pv/f')).toBe('kept')
    },
  },
  {
    name: 'a PersistentVolume as a raw block device',
    run: async (cluster, runtime) => {
      const directory = await nodeDirectory(cluster, runtime, 'block')
      const device = await loopDevice(cluster, `${directory}/image`, 64)
      const claim = await localVolume(cluster, runtime, 'block', 'Block', device)
      const pod = await Pod.ready(cluster, runtime, 'block', {
        spec: { volumes: [{ name: 'pv', persistentVolumeClaim: { claimName: claim } }], containers: [idle('main', { volumeDevices: [{ name: 'pv', devicePath: '/dev/xvda' }] })] },
      })
      expect(await pod.shell('test -b /dev/xvda; blockdev --getsize64 /dev/xvda')).toBe(String(64 * 1024 * 1024))
      await pod.shell('echo written-by-the-pod | dd of=/dev/xvda bs=512 seek=3 conv=notrunc,fsync 2>/dev/null')
      await cluster.kubectl('delete', 'pod', pod.name)
      expect((await cluster.node('dd', `if=${directory}/image`, 'bs=512', 'skip=3', 'count=1')).stdout).toContain('written-by-the-pod')
    },
  },
  {
    name: 'an image as a volume',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'image', {
        spec: { volumes: [{ name: 'image', image: { reference: busybox, pullPolicy: 'IfNotPresent' } }], containers: [idle('main', { volumeMounts: [mounted('image', '/image')] })] },
      })
      expect(await pod.shell('cmp /image/bin/busybox /bin/busybox && echo same')).toBe('same')
      expect((await pod.try(['touch', '/image/x'])).stderr).toContain('Read-only')
    },
  },
  {
    name: '/dev/shm is the pod\'s, and takes the size of a memory volume',
    run: async (cluster, runtime) => {
      const pod = await Pod.ready(cluster, runtime, 'shm', {
        spec: { volumes: [{ name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: '32Mi' } }],
          containers: [idle('plain'), idle('sized', { volumeMounts: [mounted('shm', '/dev/shm')] })] },
      })
      const size = 'df -k /dev/shm | tail -n1 | awk "{print \\$2}"'
      expect(Number(await pod.shell(size, 'plain'))).toBe(64 * 1024)
      expect(Number(await pod.shell(size, 'sized'))).toBe(32 * 1024)
    },
  },
  {
    name: 'what the node mounts later appears where HostToContainer asks for it',
    run: async (cluster, runtime) => {
      const path = await nodeDirectory(cluster, runtime, 'propagation')
      await cluster.node('sh', '-c', `mkdir ${path}/at; mount --bind ${path} ${path}; mount --make-rshared ${path}`)
      onTestFinished(async () => { await cluster.node('umount', '-lR', path) })
      const pod = await Pod.ready(cluster, runtime, 'propagation', {
        spec: { volumes: [{ name: 'node', hostPath: { path } }], containers: [idle('main', { volumeMounts: [mounted('node', '/node', { mountPropagation: 'HostToContainer' })] })] },
      })
      await cluster.node('sh', '-c', `mount -t tmpfs late ${path}/at; echo late >${path}/at/f`)
      // The guest may remember for a second what was there before.
      expect(await pod.shell('until [ -e /node/at/f ]; do sleep 0.1; done; cat /node/at/f')).toBe('late')
    },
  },
])

/** A local PersistentVolume and its claim, removed when the test ends; returns the claim's name. */
async function localVolume(cluster: Cluster, runtime: Runtime, of: string, volumeMode: 'Filesystem' | 'Block', path: string): Promise<string> {
  const name = `${of}-${runtime}`
  const common = { accessModes: ['ReadWriteOnce'], storageClassName: '', volumeMode }
  const manifests = [
    { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name }, spec: { ...common, capacity: { storage: '64Mi' }, persistentVolumeReclaimPolicy: 'Retain', local: { path }, claimRef: { namespace: 'default', name },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['node'] }] }] } } } },
    { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name }, spec: { ...common, resources: { requests: { storage: '64Mi' } }, volumeName: name } }]
  onTestFinished(async () => { await cluster.kubectl('delete', `pvc/${name}`, `pv/${name}`, '--ignore-not-found', '--timeout=60s') })
  await cluster.apply(...manifests)
  return name
}

async function loopDevice(cluster: Cluster, image: string, mebibytes: number): Promise<string> {
  await cluster.node('truncate', '-s', `${mebibytes}M`, image)
  const { stdout, stderr } = await cluster.node('losetup', '--find', '--show', image)
  if (stdout === '') throw new Error(`losetup: ${stderr}`)
  const device = stdout.trim()
  onTestFinished(async () => { await cluster.node('losetup', '-d', device) })
  return device
}
