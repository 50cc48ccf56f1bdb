import { beforeEach, describe, expect, it } from 'vitest'
import { E } from '../native/ts/errno.ts'
import { fake } from '../native/ts/fake/sys.ts'
import { isSandboxBundle } from './bundle.ts'
import { parseFlags } from './flags.ts'
import { start } from './start.ts'
import { Timeline } from './timeline.ts'

const flags = parseFlags(['-namespace', 'default', '-id', 's1', '-address', '/run/containerd.sock', '-publish-binary', '/usr/bin/containerd', 'start'])
const bundle = '/run/bundle'

interface Linux {
  namespaces: { type: string }[]
  sysctl?: Record<string, string>
  uidMappings?: object[]
  gidMappings?: object[]
}

const namespaces = ['pid', 'network', 'ipc', 'uts', 'mount'].map(type => ({ type }))

/** A host on which `start` succeeds; the fork gives the parent's side. */
function host(annotations: Record<string, string> = {}, linux: Linux = { namespaces }): { out: () => string } {
  fake.reset()
  let out = ''
  fake.put(`${bundle}/config.json`, JSON.stringify({ ociVersion: '1.1.0', annotations, root: { path: 'rootfs' }, process: { args: ['true'], cwd: '/', user: { uid: 0, gid: 0 } }, linux }))
  fake.put('/proc/sys/kernel/hostname', 'node\n')
  fake.put('/proc/1/oom_score_adj', '-999\n')
  fake.put('/proc/self/oom_score_adj', '-999\n')
  fake.put('/proc/self/mountinfo', '30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n')
  fake.put('/proc/self/cgroup', '0::/system.slice/containerd.service\n')
  fake.put('/sys/fs/cgroup/system.slice/containerd.service/cgroup.procs', '')
  fake.onCall('mkdirat', makeDirectory)
  fake.onCall('unlinkat', remove)
  fake.makeParents('/run/x')
  fake.onCall('getcwd', () => bundle)
  fake.onCall('getppid', () => 1)
  fake.onCall('read', () => 0)
  fake.onCall('fork', () => 4242)
  fake.onCall('connectUnix', () => -E.ENOENT)
  fake.onCall('write', (fd: number, bytes: Uint8Array, offset: number, length: number) => {
    if (fd === 1) out += new TextDecoder().decode(bytes.subarray(offset, offset + length))
    return length
  })
  return { out: () => out }
}

/** mkdirat(2); in cgroupfs a directory comes with its files. */
function makeDirectory(_dirfd: number, path: string, mode: number): number {
  if (fake.nodes.has(path)) return -E.EEXIST
  if (!fake.nodes.has(path.slice(0, path.lastIndexOf('/')) || '/')) return -E.ENOENT
  fake.nodes.set(path, { kind: 'directory', mode })
  if (path.startsWith('/sys/fs/cgroup/')) fake.put(`${path}/cgroup.procs`, '')
  return 0
}

function remove(_dirfd: number, path: string): number {
  fake.nodes.delete(`${path}/cgroup.procs`)
  if (!fake.nodes.has(path)) return -E.ENOENT
  if (fake.childrenOf(path).length > 0) return -E.ENOTEMPTY
  fake.nodes.delete(path)
  return 0
}

/** What a sandbox would leave on the host; `/` only had its propagation changed. */
function left(): string[] {
  return [...fake.nodes.keys()].filter(path => path.startsWith('/run/kata-ts/default/') || path.startsWith('/run/containerd/s/') || path.startsWith('/sys/fs/cgroup/kata-ts/s1')).concat(fake.held().mounts.filter(target => target !== '/'))
}

beforeEach(() => fake.reset())

describe('start', () => {
  it('prints the address of a socket named by a SHA-256, and leaves it in the bundle for containerd 1.6', () => {
    const { out } = host()
    start(flags, new Timeline())
    expect(out()).toMatch(/^unix:\/\/\/run\/containerd\/s\/[0-9a-f]{64}$/)
    expect(fake.text(`${bundle}/address`)).toBe(out())
    expect(fake.callsOf('fork')).toHaveLength(1)
    expect(fake.callsOf('writeFile').find(([, path]) => path === '/proc/self/oom_score_adj')?.[2]).toBe('-998')
  })

  it('gives the address of the shim that answers already', () => {
    const { out } = host()
    fake.onCall('connectUnix', () => 0)
    start(flags, new Timeline())
    expect(out()).toMatch(/^unix:/)
    expect(fake.callsOf('fork')).toEqual([])
    expect(left()).toEqual([])
  })

  it('joins the shim of the sandbox that the annotations name, and starts none of its own', () => {
    const alone = host()
    start(flags, new Timeline())
    const grouped = host({ 'io.kubernetes.cri.sandbox-id': 's1' })
    fake.onCall('connectUnix', () => 0)
    start({ ...flags, id: 'c2' }, new Timeline())
    expect(grouped.out()).toBe(alone.out())
    host({ 'io.kubernetes.cri.sandbox-id': 'gone' })
    expect(() => start({ ...flags, id: 'c2' }, new Timeline())).toThrow('sandbox gone of container c2 is not running')
    expect(left()).toEqual([])
  })

  it('misses a config.json, but for a bundle that only a sandbox has', () => {
    fake.nodes.delete(`${bundle}/config.json`)
    expect(() => start(flags, new Timeline())).toThrow('config.json is missing')
    expect(isSandboxBundle('/run/containerd/io.containerd.sandbox.controller.v1.shim/k8s.io/s1')).toBe(true)
  })

  it('names a malformed config.json', () => {
    host()
    fake.put(`${bundle}/config.json`, '[]')
    expect(() => start(flags, new Timeline())).toThrow(/config.json/)
  })

  it.each([['network', 'hostNetwork: true'], ['pid', 'hostPID: true'], ['ipc', 'hostIPC: true']])('refuses the %s namespace of the host before anything is made, and names the field of the pod', (type, field) => {
    host({}, { namespaces: namespaces.filter(each => each.type !== type) })
    expect(() => start(flags, new Timeline())).toThrow(field)
    expect(left()).toEqual([])
    expect(fake.callsOf('fork')).toEqual([])
  })

  it('leaves the user namespace of a pod and of a lone container to the guest, and refuses one of a pod without mappings', () => {
    const linux = { namespaces: [...namespaces, { type: 'user' }], uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }], gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }] }
    host({ 'io.kubernetes.cri.container-type': 'sandbox' }, { ...linux, gidMappings: [] })
    expect(() => start(flags, new Timeline())).toThrow('no mappings')
    expect(left()).toEqual([])
    host({ 'io.kubernetes.cri.container-type': 'sandbox' }, linux)
    start(flags, new Timeline())
    expect(fake.callsOf('fork')).toHaveLength(1)
  })

  it('refuses a pod sysctl of the whole machine before anything is made', () => {
    host({ 'io.kubernetes.cri.container-type': 'sandbox' }, { namespaces, sysctl: { 'vm.swappiness': '1' } })
    expect(() => start(flags, new Timeline())).toThrow("sysctl vm.swappiness is not of a pod's namespace")
    expect(left()).toEqual([])
  })

  it('leaves nothing, whichever call fails', () => {
    host()
    start(flags, new Timeline())
    const made = fake.calls.map(call => call.name)
    const upTo = made.indexOf('fork')
    expect(upTo).toBeGreaterThan(10)
    let thrown = 0
    for (let at = 0; at < upTo; at++) {
      const name = made[at] ?? ''
      host()
      fake.fail(name, E.EIO, made.slice(0, at).filter(earlier => earlier === name).length)
      try {
        start(flags, new Timeline())
      } catch {
        thrown++
        expect(left(), `after call ${at}, ${name}, failed`).toEqual([])
        expect(fake.callsOf('fork')).toEqual([])
      }
    }
    expect(thrown).toBeGreaterThan(10)
  })
})
