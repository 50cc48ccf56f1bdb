import { afterAll, beforeAll, expect, it } from 'vitest'
import { forEachLane } from '../../e2e/matrix.ts'
import { Stack } from '../../e2e/stack.ts'
import { System } from '../system.ts'

forEachLane('Docker in a container', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  it('runs containers with overlay2 on a tmpfs, a bridge network and limits', async () => {
    const system = await System.start(stack, lane, {
      image: 'docker', memoryMib: 1024, command: ['sleep', 'infinity'],
      flags: ['--privileged', '--mount', 'type=tmpfs,src=tmpfs,dst=/var/lib/docker,options=rw', '--mount', 'type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=rw'],
    })
    await system.shell('dockerd-nested >/tmp/dockerd.log 2>&1 &')
    await expect.poll(async () => (await system.try('docker info -f "{{.Driver}} {{.CgroupVersion}}" 2>&1 || tail -n 5 /tmp/dockerd.log')).text, { timeout: 300_000 }).toBe('overlay2 2\n')
    expect(await system.shell('docker load -qi /images/busybox.tar')).toContain('busybox:latest')
    expect(await system.shell('docker run --rm busybox sh -c "echo inside; ls /sys/class/net"')).toBe('inside\neth0\nlo\n')
    expect(await system.shell('docker run --rm --memory 32m --pids-limit 20 busybox cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max')).toBe(`${32 << 20}\n20\n`)
    // Two containers reach each other over the bridge, and a published port is reached from outside them.
    await system.shell('docker run -d --name web -p 8080:80 busybox sh -c "mkdir /www; echo served >/www/index.html; exec httpd -f -h /www"')
    expect(await system.shell('docker run --rm --link web busybox wget -qO- http://web/')).toBe('served\n')
    expect(await system.shell('docker exec web sh -c "exit 7"; echo $?')).toBe('7\n')
    expect(await system.shell('iptables -t nat -S | grep -c -- "--dport 8080"')).toBe('1\n')
    await system.shell('docker rm -f web')
    // A file system of a process: /dev/fuse does what it is for.
    expect(await system.shell('cd /var/lib/docker && mkdir -p fuse/lower fuse/upper fuse/work fuse/merged && echo low >fuse/lower/file && cd fuse'
      + ' && fuse-overlayfs -o lowerdir=lower,upperdir=upper,workdir=work merged && cat merged/file && echo up >merged/new && cat upper/new && umount merged')).toBe('low\nup\n')
  })
}, { runtime: 'kata-ts', reason: 'a daemon on the host would change its iptables' })
