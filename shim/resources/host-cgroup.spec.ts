import { beforeEach, describe, expect, it } from 'vitest'
import { E } from '../../native/ts/errno.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { Journal, readJournal } from '../journal.ts'
import { hostCgroupPath, podSandboxCgroup } from './cgroup-path.ts'
import { HostCgroup } from './host-cgroup.ts'

describe('hostCgroupPath', () => {
  it.each([
    ['/kubepods/burstable/pod1/abc', '/kubepods/burstable/pod1/abc'],
    ['abc', '/abc'],
    ['//a/./b/', '/a/b'],
    ['', '/kata-ts/s1'],
    [undefined, '/kata-ts/s1'],
    ['kubepods-burstable-podx.slice:cri-containerd:abc', '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podx.slice/cri-containerd-abc.scope'],
    ['system.slice:docker:abc', '/system.slice/docker-abc.scope'],
    [':docker:abc', '/system.slice/docker-abc.scope'],
    ['user.slice::abc', '/user.slice/abc.scope'],
    ['-.slice:x:abc', '/x-abc.scope'],
    ['a.slice:x:b.slice', '/a.slice/b.slice'],
  ])('reads %j as %s', (given, path) => expect(hostCgroupPath(given, '/kata-ts/s1')).toBe(path))

  it.each(['/', '/a/../b', '..', 'a--b.slice:x:y', 'noslice:x:y', '.slice:x:y'])('refuses %j', given => {
    expect(() => hostCgroupPath(given, '/kata-ts/s1')).toThrow('linux.cgroupsPath')
  })

  it('lies where CRI would put the pause container', () => {
    expect(podSandboxCgroup('/kubepods/burstable/pod1', 's1')).toBe('/kubepods/burstable/pod1/s1')
    expect(podSandboxCgroup('/kubepods.slice/kubepods-pod1.slice', 's1')).toBe('kubepods-pod1.slice:cri-containerd:s1')
  })
})

describe('HostCgroup', () => {
  const v1 = '30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n31 20 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n32 20 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n'
  const v2 = '30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n'
  let journal: Journal

  /** A host whose hierarchies have the group `pod`, made by kubelet, and containerd's own. */
  const host = (mountinfo: string, membership: string): HostCgroup => {
    for (const root of mountinfo === v2 ? ['/sys/fs/cgroup'] : ['/sys/fs/cgroup/memory', '/sys/fs/cgroup/cpuset']) {
      for (const path of ['', '/pod', '/containerd']) fake.put(`${root}${path}/${mountinfo === v2 ? 'cgroup.procs' : 'tasks'}`, '')
      fake.put(`${root}/pod/cpuset.cpus`, '0-1\n')
      fake.put(`${root}/pod/cpuset.mems`, '0\n')
    }
    fake.put('/proc/self/mountinfo', mountinfo)
    fake.put('/proc/self/cgroup', membership)
    // cgroupfs: a new directory comes with its files, a write of 0 moves the writer.
    fake.onCall('mkdirat', (_dirfd: number, path: string) => { for (const file of [mountinfo === v2 ? 'cgroup.procs' : 'tasks', 'cpuset.cpus', 'cpuset.mems', 'memory.limit_in_bytes', 'memory.max', 'pids.max']) fake.put(`${path}/${file}`, ''); return 0 })
    fake.onCall('unlinkat', (_dirfd: number, path: string) => { for (const node of [...fake.nodes.keys()]) if (node === path || node.startsWith(`${path}/`)) fake.nodes.delete(node); return 0 })
    return new HostCgroup('/pod/s1')
  }
  const moves = () => fake.callsOf('writeFile').filter(([, path]) => /\/(tasks|cgroup\.procs)$/.test(String(path))).map(([, path, pid]) => `${String(pid)} → ${String(path)}`)

  beforeEach(() => {
    fake.reset()
    fake.makeParents('/run/kata-ts/default/s1/journal')
    journal = new Journal('/run/kata-ts/default/s1')
  })

  it('journals a directory of every v1 hierarchy before it makes it, and leaves an additional cgroup2 alone', async () => {
    const cgroup = host(v1, '5:cpuset:/\n4:memory:/containerd\n0::/\n')
    cgroup.enter(journal)
    expect(readJournal('/run/kata-ts/default/s1')).toEqual([{ kind: 'cgroup', path: '/sys/fs/cgroup/memory/pod/s1' }, { kind: 'cgroup', path: '/sys/fs/cgroup/cpuset/pod/s1' }])
    expect(moves()).toEqual(['0 → /sys/fs/cgroup/memory/pod/s1/tasks', '0 → /sys/fs/cgroup/cpuset/pod/s1/tasks'])
    expect([fake.text('/sys/fs/cgroup/cpuset/pod/s1/cpuset.cpus'), fake.text('/sys/fs/cgroup/cpuset/pod/s1/cpuset.mems')]).toEqual(['0-1', '0'])
    const names = fake.calls.map(call => call.name)
    expect(names.indexOf('write')).toBeLessThan(names.indexOf('mkdirat'))
    fake.calls = []
    await cgroup.leave()
    expect(moves()).toEqual(['0 → /sys/fs/cgroup/memory/containerd/tasks', '0 → /sys/fs/cgroup/cpuset/tasks'])
    expect([...fake.nodes.keys()].filter(path => path.includes('s1') && path.startsWith('/sys'))).toEqual([])
    expect(fake.nodes.has('/sys/fs/cgroup/memory/pod')).toBe(true)
  })

  it('uses the unified hierarchy where that is all', async () => {
    const cgroup = host(v2, '0::/containerd\n')
    cgroup.enter(journal)
    expect(moves()).toEqual(['0 → /sys/fs/cgroup/pod/s1/cgroup.procs'])
    await cgroup.leave()
    expect(moves()[1]).toBe('0 → /sys/fs/cgroup/containerd/cgroup.procs')
    expect(fake.nodes.has('/sys/fs/cgroup/pod/s1')).toBe(false)
  })

  it('goes to the root when the group it came from is gone', async () => {
    const cgroup = host(v2, '0::/containerd\n')
    cgroup.enter(journal)
    for (const path of ['/sys/fs/cgroup/containerd/cgroup.procs', '/sys/fs/cgroup/containerd']) fake.nodes.delete(path)
    await cgroup.leave()
    expect(moves().at(-1)).toBe('0 → /sys/fs/cgroup/cgroup.procs')
  })

  it('enters a group that is there, and leaves it to whoever made it', async () => {
    const cgroup = host(v2, '0::/\n')
    fake.put('/sys/fs/cgroup/pod/s1/cgroup.procs', '')
    cgroup.enter(journal)
    await cgroup.leave()
    expect(readJournal('/run/kata-ts/default/s1')).toEqual([])
    expect(fake.nodes.has('/sys/fs/cgroup/pod/s1')).toBe(true)
  })

  it('waits for a VMM that is on its way out, and says so when it stays', async () => {
    const cgroup = host(v2, '0::/\n')
    cgroup.enter(journal)
    let busy = 3
    fake.onCall('unlinkat', () => busy-- > 0 ? -E.EBUSY : 0)
    await cgroup.leave()
    expect(fake.callsOf('unlinkat')).toHaveLength(4)
    fake.onCall('unlinkat', () => -E.EBUSY)
    await expect(cgroup.leave()).rejects.toThrow('EBUSY')
  })

  it('binds its processes to CPUs of the host, and lets them go', () => {
    const cgroup = host(v1, '5:cpuset:/\n4:memory:/containerd\n0::/\n')
    cgroup.enter(journal)
    const present = () => ['cpus', 'mems'].map(name => fake.text(`/sys/fs/cgroup/cpuset/pod/s1/cpuset.${name}`))
    fake.onCall('writeFile', (_dirfd: number, path: string, text: string) => { fake.put(path, text); return 0 })
    cgroup.bind({ cpus: '1', mems: '' })
    expect(present()).toEqual(['1', '0'])
    cgroup.bind({ cpus: '', mems: '' })
    expect(present()).toEqual(['0-1', '0'])
  })

  it('has the group above hand cpusets down in the unified hierarchy', () => {
    const cgroup = host(v2, '0::/\n')
    cgroup.enter(journal)
    fake.put('/sys/fs/cgroup/pod/cgroup.subtree_control', '')
    for (const file of ['cpuset.cpus', 'cpuset.mems']) fake.nodes.delete(`/sys/fs/cgroup/pod/s1/${file}`)
    fake.onCall('writeFile', (_dirfd: number, path: string, text: string) => {
      if (path.endsWith('subtree_control')) for (const file of ['cpuset.cpus', 'cpuset.mems']) fake.put(`/sys/fs/cgroup/pod/s1/${file}`, '')
      fake.put(path, text)
      return 0
    })
    cgroup.bind({ cpus: '0', mems: '0' })
    expect(fake.text('/sys/fs/cgroup/pod/cgroup.subtree_control')).toBe('+cpuset')
    expect(fake.text('/sys/fs/cgroup/pod/s1/cpuset.cpus')).toBe('0')
  })

  describe('group', () => {
    const written = (path: string) => fake.callsOf('writeFile').filter(([, name]) => name === path).map(([, , text]) => text)

    it('limits memory and processes in the v1 hierarchies that can, and goes with the sandbox', async () => {
      for (const file of ['', '/containerd']) fake.put(`/sys/fs/cgroup/pids${file}/tasks`, '')
      const cgroup = host(`${v1}33 20 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n`, '6:pids:/containerd\n5:cpuset:/\n4:memory:/containerd\n')
      cgroup.enter(journal)
      const group = cgroup.group('vmm', 77, journal)
      group.allowMemory(4096)
      group.allowMemory(1024)
      expect(group).toMatchObject({ directories: ['/sys/fs/cgroup/memory/pod/s1/vmm', '/sys/fs/cgroup/pids/pod/s1/vmm'], missing: [] })
      expect(written('/sys/fs/cgroup/memory/pod/s1/vmm/memory.limit_in_bytes')).toEqual(['4096'])
      expect(written('/sys/fs/cgroup/pids/pod/s1/vmm/pids.max')).toEqual(['77'])
      expect(readJournal('/run/kata-ts/default/s1').map(each => 'path' in each && each.path)).toContain('/sys/fs/cgroup/memory/pod/s1/vmm')
      await cgroup.leave()
      expect([...fake.nodes.keys()].filter(path => path.startsWith('/sys') && path.includes('s1'))).toEqual([])
    })

    it('has the shim out of the way in the unified hierarchy, and the groups above hand the controllers down', async () => {
      const cgroup = host(v2, '0::/containerd\n')
      cgroup.enter(journal)
      fake.put('/sys/fs/cgroup/pod/s1/cgroup.subtree_control', 'memory pids\n')
      fake.onCall('writeFile', (_dirfd: number, path: string, text: string) => { if (!path.endsWith('subtree_control')) fake.put(path, text); return 0 })
      const group = cgroup.group('vmm', 77, journal)
      cgroup.group('virtiofsd', 77, journal)
      group.allowMemory(4096)
      expect(moves().slice(1)).toEqual(['0 → /sys/fs/cgroup/pod/s1/shim/cgroup.procs'])
      expect(fake.callsOf('writeFile').filter(([, path]) => String(path).endsWith('subtree_control')).map(([, path, text]) => `${String(text)} ${String(path).slice(14)}`)).toEqual(
        ['', '/pod', '/pod/s1'].flatMap(above => [`+memory ${above}/cgroup.subtree_control`, `+pids ${above}/cgroup.subtree_control`]))
      expect([written('/sys/fs/cgroup/pod/s1/vmm/memory.max'), written('/sys/fs/cgroup/pod/s1/vmm/pids.max')]).toEqual([['4096'], ['77']])
      cgroup.leaveNow()
      expect([...fake.nodes.keys()].filter(path => path.startsWith('/sys/fs/cgroup/pod/s1'))).toEqual([])
    })

    it('says which limits the host has no controller for', () => {
      const cgroup = host(v1, '5:cpuset:/\n4:memory:/\n')
      cgroup.enter(journal)
      expect(cgroup.group('vmm', 77, journal)).toMatchObject({ directories: ['/sys/fs/cgroup/memory/pod/s1/vmm'], missing: ['pids'] })
      expect(host(v2, '0::/\n').group('vmm', 77, journal).missing).toEqual(['memory', 'pids'])
    })
  })

  it('does nothing on a host without cgroups', async () => {
    const cgroup = host('20 1 0:2 / / rw - ext4 /dev/sda rw\n', '')
    cgroup.enter(journal)
    await cgroup.leave()
    expect(moves()).toEqual([])
  })
})
