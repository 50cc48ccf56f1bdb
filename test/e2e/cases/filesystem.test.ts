import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Container } from '../container.ts'
import { temporaryDirectory } from '../directory.ts'
import { forEachLane } from '../matrix.ts'
import { Stack } from '../stack.ts'

forEachLane('filesystem', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  /** A host directory with one file, removed when the test ends. */
  const hostDirectory = (): string => {
    const directory = temporaryDirectory(0o755)
    writeFileSync(`${directory}/file`, 'from the host\n')
    mkdirSync(`${directory}/sub`)
    return directory
  }
  const bind = (source: string, destination: string, ...options: string[]): { destination: string; type: string; source: string; options: string[] } =>
    ({ destination, type: 'bind', source, options: ['rbind', ...options] })

  it('refuses writes to a read-only rootfs and keeps its mounts writable', async () => {
    const container = await Container.create(stack, lane, { spec: (spec) => { spec.root.readonly = true } })
    await container.start()
    const { status, stderr } = await container.exec(['touch', '/new'])
    expect(status).not.toBe(0)
    expect(stderr).toMatch(/Read-only file system/)
    expect(await container.shell('echo x >/run/file && cat /run/file')).toBe('x\n')
  })

  it('keeps a writable rootfs to the container', async () => {
    const first = await Container.create(stack, lane)
    await first.start()
    expect(await first.shell('echo mine >/etc/mine; chown 1000:100 /etc/mine; stat -c %u:%g:%a /etc/mine')).toBe('1000:100:644\n')
    const second = await Container.create(stack, lane)
    await second.start()
    expect(await second.shell('test ! -e /etc/mine && echo absent')).toBe('absent\n')
  })

  it('binds a host directory in both directions', async () => {
    const directory = hostDirectory()
    const container = await Container.create(stack, lane, { spec: (spec) => { spec.mounts.push(bind(directory, '/data', 'rw')) } })
    await container.start()
    expect(await container.shell('cat /data/file; echo from inside >/data/new; echo appended >>/data/file')).toBe('from the host\n')
    expect(readFileSync(`${directory}/new`, 'utf8')).toBe('from inside\n')
    expect(readFileSync(`${directory}/file`, 'utf8')).toBe('from the host\nappended\n')
  })

  it('binds a single file to a path that the image does not have', async () => {
    const directory = hostDirectory()
    const container = await Container.create(stack, lane, { spec: (spec) => { spec.mounts.push(bind(`${directory}/file`, '/etc/deep/er/config', 'ro')) } })
    await container.start()
    expect(await container.shell('cat /etc/deep/er/config')).toBe('from the host\n')
  })

  it('enforces a read-only bind', async () => {
    const directory = hostDirectory()
    const container = await Container.create(stack, lane, { spec: (spec) => { spec.mounts.push(bind(directory, '/data', 'ro')) } })
    await container.start()
    for (const attempt of ['echo x >>/data/file', 'touch /data/new', 'rm /data/file', 'mkdir /data/sub/x', 'chmod 700 /data']) {
      const { status, stderr } = await container.exec(['sh', '-c', attempt])
      expect({ attempt, status, stderr }).toMatchObject({ status: 1, stderr: expect.stringMatching(/Read-only file system/) })
    }
    expect(readFileSync(`${directory}/file`, 'utf8')).toBe('from the host\n')
  })

  it('runs set-user-ID programs of the image as their owner', async () => {
    const container = await Container.create(stack, lane)
    await container.start()
    // busybox gives the right up again in most of its programs; su needs it.
    await container.shell('cp /bin/busybox /home/su && chmod 4755 /home/su && echo "toor::0:0:root:/root:/bin/sh" >>/etc/passwd')
    const result = await container.exec(['/home/su', 'toor', '-c', 'id -u'], {
      process: (process) => {
        process.noNewPrivileges = false
        process.user = { uid: 1000, gid: 1000 }
      },
    })
    expect(result).toMatchObject({ status: 0, stdout: '0\n' })
  })

  it('mounts a tmpfs with its size, mode and flags', async () => {
    const container = await Container.create(stack, lane, {
      spec: (spec) => {
        spec.mounts.push({ destination: '/scratch', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'noexec', 'size=1024k', 'mode=1700'] })
      },
    })
    await container.start()
    expect(await container.shell('stat -c %a /scratch; grep " /scratch " /proc/mounts')).toMatch(/^1700\ntmpfs \/scratch tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k,mode=1700/)
    expect(await container.shell('head -c 2000000 /dev/zero >/scratch/fill 2>/dev/null; stat -c %s /scratch/fill')).toBe('1048576\n')
  })

  it('masks paths and makes paths read-only', async () => {
    const container = await Container.create(stack, lane, {
      spec: (spec) => {
        spec.linux.maskedPaths.push('/etc/passwd', '/var/www')
        spec.linux.readonlyPaths.push('/home')
      },
    })
    await container.start()
    expect(await container.shell('cat /etc/passwd | wc -c')).toBe('0\n')
    expect((await container.exec(['touch', '/var/www/x'])).status).not.toBe(0)
    expect((await container.exec(['touch', '/home/x'])).stderr).toMatch(/Read-only file system/)
    expect((await container.exec(['sh', '-c', 'echo 1 >/proc/sys/kernel/hostname'])).stderr).toMatch(/Read-only file system/)
  })

  it('has the standard devices, and no others that it may make', async () => {
    const container = await Container.create(stack, lane)
    await container.start()
    expect(await container.shell('for d in null zero full random urandom tty; do stat -c "%n %t:%T %a" /dev/$d; done')).toBe(
      '/dev/null 1:3 666\n/dev/zero 1:5 666\n/dev/full 1:7 666\n/dev/random 1:8 666\n/dev/urandom 1:9 666\n/dev/tty 5:0 666\n')
    expect(await container.shell('for link in fd stdin ptmx; do readlink /dev/$link; done')).toBe('/proc/self/fd\n/proc/self/fd/0\npts/ptmx\n')
    // The device cgroup refuses what the list does not have, whatever CAP_MKNOD allows to make: on a tmpfs, because a
    // shared file system may refuse every device.
    expect((await container.exec(['sh', '-c', 'mknod /run/disk b 254 0 && head -c 1 /run/disk'])).stderr).toMatch(/not permitted/i)
  })
})
