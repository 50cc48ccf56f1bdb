/**
 * Pods with `hostUsers: false`, as kubelet asks for them. runc 1.1, which these machines have, refuses ID-mapped mounts: there is no
 * control, so the cases say what the Kubernetes documentation says (concepts/workloads/pods/user-namespaces).
 */
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { CriMount, IdMapping } from '../cri/client.ts'
import { CriLane } from '../cri/lane.ts'
import type { ContainerOptions, Pod } from '../cri/pod.ts'
import { temporaryDirectory } from '../directory.ts'
import { forEachLane } from '../matrix.ts'

const forever = ['sleep', '100000']
const first = 1_000_000
const ids: IdMapping[] = [{ container_id: 0, host_id: first, length: 65_536 }]

/** Directories of the host, as kubelet has them: with the pod's own ids on disk. */
class HostDirectories {
  readonly path = temporaryDirectory(0o755)

  make(name: string, owner: { uid: number; gid: number; mode: number }): string {
    const path = `${this.path}/${name}`
    mkdirSync(path, { recursive: true })
    chownSync(path, owner.uid, owner.gid)
    chmodSync(path, owner.mode)
    return path
  }

  /** A ConfigMap as kubelet's atomic writer leaves it, readable by a group. */
  configMap(name: string, files: Record<string, string>, gid: number): string {
    const path = this.make(`volumes/kubernetes.io~configmap/${name}`, { uid: 0, gid, mode: 0o2775 })
    const version = `${path}/..2026_11_28`
    mkdirSync(version)
    for (const [file, content] of Object.entries(files)) {
      writeFileSync(`${version}/${file}`, content)
      chownSync(`${version}/${file}`, 0, gid)
      chmodSync(`${version}/${file}`, 0o440)
      symlinkSync(`..data/${file}`, `${path}/${file}`)
    }
    symlinkSync('..2026_11_28', `${path}/..data`)
    return path
  }
}

const mapped = (host_path: string, container_path: string): CriMount => ({ host_path, container_path, uidMappings: ids, gidMappings: ids })

forEachLane('user namespaces', (lane) => {
  const pods = new CriLane(lane)
  if (lane.containerd === '1.6') {
    it.skip('containerd 1.6 knows no user namespaces of pods')
    return
  }

  describe.each(['kata-ts', 'kata-ts-sandbox'])('%s', (handler) => {
    const run = (pid: 'CONTAINER' | 'POD' = 'CONTAINER'): Promise<Pod> =>
      pods.run({ handler, namespaces: { pid, userns_options: { mode: 'POD', uids: ids, gids: ids } } })
    const start = (pod: Pod, more: ContainerOptions = {}): Promise<string> => pod.start(forever, undefined, undefined, more)

    it('maps root of the containers to an id that is nobody, in a namespace that they share and that owns what they share', async () => {
      const pod = await run()
      const [one, other] = [await pod.start(forever, { oom_score_adj: 1000 }), await start(pod, { security: { capabilities: { add_capabilities: ['NET_ADMIN'] } } })]
      expect(await pod.shell(one, 'id -u; cat /proc/self/uid_map; tr "\\0" " " < /proc/1/cmdline')).toMatch(new RegExp(`^0\n\\s+0\\s+${first}\\s+65536\nsleep 100000 $`))
      expect(await pod.shell(one, 'cat /proc/1/oom_score_adj')).toBe('1000\n')
      const namespaces = 'for n in user net ipc uts pid; do readlink /proc/self/ns/$n; done'
      const [a, b] = [await pod.shell(one, namespaces), await pod.shell(other, namespaces)].map(text => text.trim().split('\n'))
      expect(a?.slice(0, 4)).toEqual(b?.slice(0, 4))
      expect(a?.[4]).not.toBe(b?.[4])
      expect(await pod.shell(one, 'hostname')).toBe(`${pod.config.hostname ?? ''}\n`)
      // The rights over the pod's network are root's there, with the capability and not without.
      expect(await pod.shell(other, 'ip link add dummy9 type dummy 2>/dev/null || ip link set lo mtu 1400; cat /sys/class/net/lo/mtu; ip addr show eth0 | grep -c "inet "')).toMatch(/\n1\n$/)
      expect((await pod.exec(one, ['ip', 'link', 'set', 'lo', 'mtu', '1300'])).status).not.toBe(0)
      expect(await pod.shell(one, 'mount | grep -c " /dev/mqueue type mqueue"')).toBe('1\n')
    })

    it('reads and writes its root file system, /dev/shm and terminals as root', async () => {
      const pod = await run()
      const container = await start(pod)
      expect(await pod.shell(container, 'ls -ldn /bin /etc | awk "{print \\$3, \\$4}" | sort -u; echo hosts >> /etc/hosts; touch /new; mkdir /root/d; chown 1000:1000 /new; stat -c "%u:%g" /new')).toBe('0 0\n1000:1000\n')
      expect(await pod.shell(container, 'mkdir -m 700 /theirs && chown 1000 /theirs && echo x > /theirs/f && stat -c %u /theirs/f')).toBe('0\n')
      expect(await pod.shell(container, 'echo by-one > /dev/shm/f; stat -c "%a" /dev/shm; stat -c "%u %a" /dev/shm/f')).toBe('1777\n0 644\n')
      expect(await pod.shell(container, 'echo out > /dev/stdout; echo err > /dev/stderr')).toBe('out\n')
    })

    it('has the volumes of the host by its own ids, and the host has them by the ids on disk', async () => {
      const host = new HostDirectories()
      const emptyDir = host.make('volumes/kubernetes.io~empty-dir/data', { uid: 0, gid: 2000, mode: 0o2777 })
      const hostPath = host.make('theirs', { uid: 1000, gid: 1000, mode: 0o755 })
      const unmapped = host.make('unmapped', { uid: 0, gid: 0, mode: 0o755 })
      const config = host.configMap('settings', { 'app.conf': 'a=1\n' }, 2000)
      const pod = await run()
      const security = { run_as_user: { value: 1000 }, supplemental_groups: [2000] }
      const mounts = [mapped(emptyDir, '/data'), mapped(hostPath, '/theirs'), mapped(config, '/config'), { host_path: unmapped, container_path: '/unmapped' }]
      const [root, user] = [await start(pod, { mounts }), await start(pod, { mounts, security })]
      expect(await pod.shell(user, 'id -u; stat -c "%u:%g" /data /theirs /config; stat -Lc "%u:%g %a" /config/app.conf; cat /config/app.conf')).toBe('1000\n0:2000\n1000:1000\n0:2000\n0:2000 440\na=1\n')
      await pod.shell(user, 'echo user > /data/user; echo user > /theirs/user')
      await pod.shell(root, 'echo root > /data/root; echo root > /theirs/root')
      for (const [name, uid] of [['user', 1000], ['root', 0]] as const) {
        expect(statSync(`${emptyDir}/${name}`)).toMatchObject({ uid, gid: 2000 })
        expect(statSync(`${hostPath}/${name}`).uid).toBe(uid)
      }
      // Without a mapping, root of the pod is nobody there.
      expect(await pod.shell(root, 'stat -c "%u" /unmapped')).toBe('65534\n')
      expect((await pod.exec(root, ['touch', '/unmapped/f'])).status).not.toBe(0)
      expect(readdirSync(unmapped)).toEqual([])
    })

    it('shares processes among all containers when asked to', async () => {
      const pod = await run('POD')
      const one = await pod.start(['sleep', '100001'])
      const other = await start(pod)
      expect(await pod.shell(other, 'cat /proc/1/comm; for f in /proc/[0-9]*/cmdline; do tr "\\0" " " < $f; echo; done')).toContain('sleep 100001')
      await pods.cri.call('StopContainer', { container_id: one, timeout: 0 })
      expect(await pod.shell(other, 'cat /proc/1/comm')).toBe('pause\n')
    })
  })
}, { runtime: 'kata-ts', reason: 'runc 1.1 maps no ids of mounts' })
