import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Bundle, bundleDirectory, mountinfo, type MountLine } from './bundle.ts'
import { conformance } from './runtimes.ts'

/** An option that takes back an earlier one. */
const contradictory = (options: readonly string[]) => options.includes('exec') || options.includes('rw')

const at = (lines: MountLine[], point: string) => lines.findLast(line => line.point === point)

conformance('filesystem', test => {
  test('mounts what the spec says, where and as it says', async runtime => {
    await using bundle = new Bundle(runtime, ['cat', '/proc/self/mountinfo'])
    const lines = mountinfo(bundle.run().stdout)
    expect(at(lines, '/proc')).toMatchObject({ type: 'proc' })
    expect(at(lines, '/proc')?.options).toEqual(expect.arrayContaining(['nosuid', 'nodev', 'noexec']))
    expect(at(lines, '/dev')).toMatchObject({ type: 'tmpfs' })
    expect(at(lines, '/dev')?.superOptions).toEqual(expect.arrayContaining(['mode=755', 'size=65536k']))
    expect(at(lines, '/dev')?.options).toContain('nosuid')
    expect(at(lines, '/dev/pts')?.superOptions).toEqual(expect.arrayContaining(['gid=5', 'mode=620', 'ptmxmode=666']))
    expect(at(lines, '/dev/shm')?.type).toBe('tmpfs')
    expect(at(lines, '/dev/mqueue')?.type).toBe('mqueue')
    expect(at(lines, '/sys')?.options).toEqual(expect.arrayContaining(['ro', 'nosuid', 'nodev', 'noexec']))
    expect(lines.filter(({ type, point }) => type !== 'proc' && point.startsWith(bundle.directory))).toEqual([])
  })

  test('has a read-only root when asked', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'touch /x; touch /dev/shm/y && echo shm'], spec => { spec.root.readonly = true })
    const { stdout, stderr } = bundle.run()
    expect(stderr).toMatch(/Read-only/)
    expect(stdout).toBe('shm\n')
    expect(existsSync(join(bundle.rootfs, 'x'))).toBe(false)
  })

  test('has a writable root otherwise', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'echo data > /x'])
    bundle.run()
    expect(readFileSync(join(bundle.rootfs, 'x'), 'utf8')).toBe('data\n')
  })

  test('shows nothing of the host', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'ls /; ls /proc/1/root/; ls /..'])
    expect(bundle.run().stdout).not.toContain('boot')
  })

  test('binds a directory and a file', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'cat /data/inside /etc/one; echo more >> /etc/one'], spec => {
      spec.mounts.push({ destination: '/data', source: join(bundleDirectory, 'volume'), options: ['bind', 'ro'] })
      spec.mounts.push({ destination: '/etc/one', source: join(bundleDirectory, 'one'), options: ['bind'] })
    })
    mkdirSync(join(bundle.directory, 'volume'))
    writeFileSync(join(bundle.directory, 'volume/inside'), 'in volume\n')
    writeFileSync(join(bundle.directory, 'one'), 'in file\n')
    expect(bundle.run().stdout).toBe('in volume\nin file\n')
    expect(readFileSync(join(bundle.directory, 'one'), 'utf8')).toBe('in file\nmore\n')
  })

  for (const [options, expected] of [
    [['bind', 'ro'], ['ro']], [['bind', 'nosuid', 'nodev', 'noexec'], ['rw', 'nosuid', 'nodev', 'noexec']],
    [['rbind', 'ro', 'noatime'], ['ro', 'noatime']], [['bind', 'ro', 'rw'], ['rw']], [['bind', 'noexec', 'exec'], ['rw']],
  ] as const) {
    test(`binds with ${options.join(',')}`, async runtime => {
      await using bundle = new Bundle(runtime, ['cat', '/proc/self/mountinfo'], spec => {
        spec.mounts.push({ destination: '/data', source: `${bundleDirectory}/volume`, options: [...options] })
      })
      mkdirSync(join(bundle.directory, 'volume'))
        const line = at(mountinfo(bundle.run().stdout), '/data')
      expect(line?.options).toEqual(expect.arrayContaining([...expected]))
      for (const option of ['ro', 'noexec'] as const) if (!(expected as readonly string[]).includes(option)) expect(line?.options).not.toContain(option)
    }, contradictory(options) ? { except: { crun: 'the restrictive option wins' } } : {})
  }

  test('makes a read-only bind read-only below too with rro', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'touch /data/sub/x 2>&1; cat /proc/self/mountinfo'], spec => {
      spec.mounts.push({ destination: '/outer', type: 'tmpfs', source: 'tmpfs' })
      spec.mounts.push({ destination: '/data', source: `${bundleDirectory}/volume`, options: ['rbind', 'rro'] })
    })
    mkdirSync(join(bundle.directory, 'volume/sub'), { recursive: true })
    expect(bundle.run().stdout).toMatch(/Read-only/)
  })

  for (const [name, mark] of [['rprivate', undefined], ['rslave', 'master:'], ['rshared', 'shared:']] as const) {
    test(`propagates a mount as ${name}`, async runtime => {
      await using bundle = new Bundle(runtime, ['cat', '/proc/self/mountinfo'], spec => {
        spec.mounts.push({ destination: '/data', type: 'tmpfs', source: 'tmpfs', options: [name] })
      })
      const line = at(mountinfo(bundle.run().stdout), '/data')
      expect(line).toBeDefined()
      if (mark === 'shared:') expect(line?.optional.join(' ')).toContain(mark)
      else expect(line?.optional.join(' ')).not.toContain('shared:')
    }, name === 'rshared' ? { except: { crun: 'does not apply it to a tmpfs' } } : {})
  }

  for (const [name, mark] of [['', ''], ['private', ''], ['shared', 'shared:'], ['unbindable', 'unbindable']] as const) {
    test(`has the root's propagation ${name || 'unset'}`, async runtime => {
      await using bundle = new Bundle(runtime, ['cat', '/proc/self/mountinfo'], spec => { if (name) spec.linux.rootfsPropagation = name })
      const optional = at(mountinfo(bundle.run().stdout), '/')?.optional.join(' ') ?? ''
      if (mark) expect(optional).toContain(mark)
      else expect(optional).not.toMatch(/shared:|unbindable/)
    }, name === 'shared' || name === 'unbindable' ? { except: { runc: 'sets it before the pivot only' } } : {})
  }

  test('copies what the image has into a tmpfs with tmpcopyup', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'cat /etc/passwd | head -1; cat /proc/self/mountinfo; touch /etc/new && echo writable'], spec => {
      spec.mounts.push({ destination: '/etc', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup'] })
    })
    const { stdout } = bundle.run()
    expect(stdout).toMatch(/^root:x:0:0/)
    expect(stdout).toContain('writable')
    expect(at(mountinfo(stdout), '/etc')?.type).toBe('tmpfs')
    expect(existsSync(join(bundle.rootfs, 'etc/new'))).toBe(false)
  })

  test('resolves a destination inside the root, through absolute and dangling symlinks', async runtime => {
    await using bundle = new Bundle(runtime, ['cat', '/proc/self/mountinfo'], spec => {
      spec.mounts.push({ destination: '/link/below', type: 'tmpfs', source: 'tmpfs' })
      spec.mounts.push({ destination: '/dangling/x', type: 'tmpfs', source: 'tmpfs' })
      spec.mounts.push({ destination: '/up/y', type: 'tmpfs', source: 'tmpfs' })
    })
    mkdirSync(join(bundle.rootfs, 'real'))
    symlinkSync('/real', join(bundle.rootfs, 'link'))
    symlinkSync('/not/there', join(bundle.rootfs, 'dangling'))
    symlinkSync('../../../../../../tmp', join(bundle.rootfs, 'up'))
    const points = mountinfo(bundle.run().stdout).map(({ point }) => point)
    expect(points).toEqual(expect.arrayContaining(['/real/below', '/not/there/x', '/tmp/y']))
    expect(existsSync('/tmp/y')).toBe(false)
    expect(existsSync('/not')).toBe(false)
  }, { except: { crun: 'refuses a dangling link' } })

  test('makes a missing file for a bound file, through a dangling symlink', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'cat /etc/resolv.conf; readlink /etc/resolv.conf'], spec => {
      spec.mounts.push({ destination: '/etc/resolv.conf', source: `${bundleDirectory}/resolv`, options: ['bind'] })
    })
    writeFileSync(join(bundle.directory, 'resolv'), 'nameserver 192.0.2.1\n')
    symlinkSync('../run/resolve/stub.conf', join(bundle.rootfs, 'etc/resolv.conf'))
    expect(bundle.run().stdout).toBe('nameserver 192.0.2.1\n../run/resolve/stub.conf\n')
  })

  test('has the default devices and links', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'for d in null zero full random urandom tty; do stat -c "%n %F %a %t:%T" /dev/$d; done; for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done; echo x > /dev/null; head -c 3 /dev/zero | wc -c'])
    const { stdout } = bundle.run()
    for (const [name, numbers] of [['null', '1:3'], ['zero', '1:5'], ['full', '1:7'], ['random', '1:8'], ['urandom', '1:9'], ['tty', '5:0']]) {
      expect(stdout).toContain(`/dev/${name} character special file 666 ${numbers}`)
    }
    expect(stdout).toContain('/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\n')
    expect(stdout).toMatch(/^(\/dev\/)?pts\/ptmx$/m)
    expect(stdout.trim().split('\n').at(-1)).toBe('3')
  })

  test('makes the devices of the spec', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'stat -c "%n %F %a %u:%g %t:%T" /dev/net/tun /dev/fuse /dev/pipe'], spec => {
      spec.linux.devices = [
        { path: '/dev/net/tun', type: 'c', major: 10, minor: 200, fileMode: 0o666, uid: 0, gid: 0 },
        { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o640, uid: 1000, gid: 1001 },
        { path: '/dev/pipe', type: 'p', fileMode: 0o600, uid: 7, gid: 8 },
      ]
    })
    const { stdout } = bundle.run()
    expect(stdout).toContain('/dev/net/tun character special file 666 0:0 a:c8')
    expect(stdout).toContain('/dev/fuse character special file 640 1000:1001 a:e5')
    expect(stdout).toContain('/dev/pipe fifo 600 7:8 0:0')
  })

  test('masks paths: files read as empty, directories list as empty', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'cat /secret/file; ls /secretdir; touch /secretdir/x; echo x > /secret/file; cat /secret/file; stat -c %t:%T /secret/file'], spec => {
      spec.linux.maskedPaths = ['/secret/file', '/secretdir', '/not/there']
    })
    mkdirSync(join(bundle.rootfs, 'secret'))
    mkdirSync(join(bundle.rootfs, 'secretdir'))
    writeFileSync(join(bundle.rootfs, 'secret/file'), 'secret')
    writeFileSync(join(bundle.rootfs, 'secretdir/inside'), 'secret')
    const { stdout } = bundle.run()
    expect(stdout).toBe('1:3\n')
    expect(readFileSync(join(bundle.rootfs, 'secret/file'), 'utf8')).toBe('secret')
  })

  test('makes paths read-only', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'cat /fixed/file; touch /fixed/x; echo 1 > /proc/sys/kernel/shmmax'], spec => {
      spec.linux.readonlyPaths = ['/fixed', '/proc/sys', '/not/there']
    })
    mkdirSync(join(bundle.rootfs, 'fixed'))
    writeFileSync(join(bundle.rootfs, 'fixed/file'), 'fixed\n')
    const { stdout, stderr } = bundle.run()
    expect(stdout).toBe('fixed\n')
    expect(stderr.match(/Read-only/g)).toHaveLength(2)
  })

  test('makes no devices in a /dev that is bound', async runtime => {
    await using bundle = new Bundle(runtime, ['true'], spec => {
      spec.mounts = [{ destination: '/dev', source: `${bundleDirectory}/volume`, options: ['bind'] }, ...spec.mounts.filter(({ destination }) => !destination.startsWith('/dev'))]
    })
    mkdirSync(join(bundle.directory, 'volume'))
    // runc and crun mask with the container's own null device.
    execFileSync('mknod', [join(bundle.directory, 'volume/null'), 'c', '1', '3'])
    expect(bundle.run()).toMatchObject({ status: 0 })
    expect(readdirSync(join(bundle.directory, 'volume'))).toEqual(['null'])
  })

  test('leaves the bundle as it was, but for what it writes', async runtime => {
    await using bundle = new Bundle(runtime, ['true'])
    rmSync(join(bundle.rootfs, 'var'), { recursive: true })
    expect(bundle.run().status).toBe(0)
    expect(bundle.leftovers()).toEqual([])
  })
})
