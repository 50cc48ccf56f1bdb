import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Container, uniqueId } from '../container.ts'
import { forEachLane } from '../matrix.ts'
import { busybox, Stack } from '../stack.ts'

/** A character device as the spec names it, with the rule that lets it be used. */
function give(spec: { linux: { devices?: unknown[]; resources: Record<string, unknown> } }, path: string, major: number, minor: number): void {
  spec.linux.devices = [...spec.linux.devices ?? [], { path, type: 'c', major, minor, fileMode: 0o666, uid: 0, gid: 0 }]
  const rules = spec.linux.resources['devices']
  if (Array.isArray(rules)) rules.push({ allow: true, type: 'c', major, minor, access: 'rwm' })
}

forEachLane('privileged', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  /** `ctr run --privileged`, which asks for what CRI and Docker ask for: all devices, capabilities and rights to /sys and /proc. */
  async function privileged(script: string, ...flags: string[]): Promise<string> {
    const { code, text, stderr } = await stack.ctr(['run', '--rm', '--privileged', ...flags, '--runtime', lane.runtimeName, busybox, uniqueId(), 'sh', '-c', script])
    expect({ code, stderr }, text).toEqual({ code: 0, stderr: '' })
    return text
  }

  it('has the device nodes of its kernel and none of another', async () => {
    const nodes = await privileged('cd /dev; find . -type b -o -type c | while read f; do stat -c "%F %t:%T $f" $f; done; echo; ls /sys/dev/char; echo; ls /sys/dev/block')
    const [devices = '', char = '', block = ''] = nodes.split('\n\n')
    const unknown = devices.split('\n').filter((line) => {
      const [, kind, major = '', minor = '', name = ''] = /^(\w+) special file (\w+):(\w+) (.*)$/.exec(line) ?? []
      // Terminals are made by devpts, which has no entry in sysfs.
      if (name.startsWith('./pts/')) return false
      return !(kind === 'block' ? block : char).split('\n').includes(`${parseInt(major, 16)}:${parseInt(minor, 16)}`)
    })
    expect(unknown).toEqual([])
    const names = devices.split('\n').map((line) => line.split(' ').at(-1))
    expect(names).toEqual(expect.arrayContaining(['./null', './kmsg', './net/tun', './fuse', './loop-control', './loop0', './loop7']))
    // The host's disks and consoles are nothing that a guest has.
    if (lane.runtime === 'kata-ts') expect(names.filter((name) => name !== undefined && /tty[1-9]|kvm|btrfs-control/.test(name))).toEqual([])
  })

  it('may use every device: a loop device is mounted, a tun interface made', async () => {
    expect(await privileged([
      'dd if=/dev/zero of=/tmp/disk bs=1M count=4 2>/dev/null', 'mke2fs -F /tmp/disk >/dev/null', 'mkdir /tmp/mnt', 'loop=$(losetup -f)', 'losetup $loop /tmp/disk',
      'mount -t ext2 $loop /tmp/mnt', 'echo kept >/tmp/mnt/file', 'umount /tmp/mnt', 'losetup -d $loop',
      'mount -t ext2 -o loop /tmp/disk /tmp/mnt', 'cat /tmp/mnt/file', 'umount /tmp/mnt',
      'tunctl -t tun7', 'ls /sys/class/net | grep tun',
    ].join(' && '))).toMatch(/^kept\n.*tun7.*\ntun7\n$/s)
  })

  it('has /sys, cgroup and /proc writable and unmasked', async () => {
    const mounts = await privileged('cat /proc/self/mountinfo; mkdir /sys/fs/cgroup/below 2>/dev/null || mkdir /sys/fs/cgroup/pids/below',
      '--mount', 'type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=rw')
    const lines = mounts.split('\n').map((line) => line.split(' '))
    const at = (path: string): string | undefined => lines.find((fields) => fields[4] === path)?.[5]
    expect(at('/sys')).toMatch(/^rw/)
    expect(at('/sys/fs/cgroup')).toMatch(/^rw/)
    expect(lines.filter((fields) => fields[4]?.startsWith('/proc/')).map((fields) => fields[4])).toEqual([])
  })

  it('has every capability that containerd has to give', async () => {
    const given = /CapBnd:\s*(\w+)/.exec(readFileSync(`/proc/${stack.containerdPid}/status`, 'utf8'))?.[1]
    expect(await privileged('sed -n "s/CapEff:.//p" /proc/self/status')).toBe(`${given}\n`)
  })

  it('has the same devices in an exec', async () => {
    const container = await Container.create(stack, lane, {
      spec: (spec) => {
        spec.linux.resources['devices'] = [{ allow: true, access: 'rwm' }]
        spec.linux.devices = [{ path: '/dev/null', type: 'c', major: 1, minor: 3 }, { path: '/dev/loop-control', type: 'c', major: 10, minor: 237 }]
      },
    })
    await container.start()
    expect(await container.shell('test -c /dev/loop-control && exec 3<>/dev/loop-control && echo opened')).toBe('opened\n')
  })
})

forEachLane('devices by path', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  it('gives /dev/net/tun and /dev/fuse to a container that asks for them, and nothing else', async () => {
    const container = await Container.create(stack, lane, {
      spec: (spec) => {
        give(spec, '/dev/net/tun', 10, 200)
        give(spec, '/dev/fuse', 10, 229)
        for (const set of ['bounding', 'effective', 'permitted'] as const) spec.process.capabilities[set] = [...spec.process.capabilities[set], 'CAP_NET_ADMIN', 'CAP_SYS_ADMIN']
      },
      args: ['sh', '-c', 'tunctl -t tun0 >/dev/null && ls /sys/class/net && test -c /dev/fuse && { exec 3<>/dev/fuse; } && echo fuse; ls /dev/loop* 2>/dev/null; mknod /tmp/loop c 10 237 && { exec 4<>/tmp/loop; }'],
    })
    await container.start()
    const { stdout, stderr } = await container.finish()
    expect(stdout).toBe('lo\ntun0\nfuse\n')
    expect(stderr).toMatch(/can't create \/tmp\/loop: Operation not permitted/)
  })

  it.skipIf(lane.runtime === 'runc')('refuses a device of the host by name, before anything is made', async () => {
    await expect(Container.create(stack, lane, { spec: (spec) => { give(spec, '/dev/kvm', 10, 232) } }))
      .rejects.toThrow(/device \/dev\/kvm of the host cannot be given to a container in a microVM/)
  })
})
