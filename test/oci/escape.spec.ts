import { closeSync, existsSync, mkdirSync, openSync, rmSync, symlinkSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Bundle, until } from './bundle.ts'
import { conformance } from './runtimes.ts'

/** include/uapi/asm-generic/fcntl.h */
const O_PATH = 0o10000000

/** Ways out of a container that once worked on some runtime. */
conformance('escape', test => {
  test('the runtime’s own program cannot be written through /proc/<pid>/exe (CVE-2019-5736)', async runtime => {
    await using bundle = new Bundle(runtime, ['true'])
    bundle.create()
    const program = openSync(`/proc/${bundle.pid}/exe`, O_PATH)
    try {
      bundle.invoke(['delete', '--force', bundle.id])
      expect(() => {
        const again = openSync(`/proc/self/fd/${program}`, 'r+')
        try {
          // What is there already, should the write go through after all.
          writeSync(again, Buffer.from('\x7fELF', 'latin1'), 0, 4, 0)
        } finally {
          closeSync(again)
        }
      }).toThrow(/EROFS|EPERM|ETXTBSY/)
    } finally {
      closeSync(program)
    }
  })

  test('a script whose interpreter is /proc/self/exe runs the runtime to no effect', async runtime => {
    await using bundle = new Bundle(runtime, ['/bin/entry'])
    writeFileSync(join(bundle.rootfs, 'bin/entry'), '#!/proc/self/exe\n', { mode: 0o755 })
    expect(bundle.run().status).not.toBe(0)
    expect(bundle.leftovers()).toEqual([])
  })

  for (const fd of [3, 5, 7, 8, 10]) {
    test(`a working directory of /proc/self/fd/${fd} leads nowhere (CVE-2024-21626)`, async runtime => {
      await using bundle = new Bundle(runtime, ['sh', '-c', 'cat ../../../../../etc/hostname; pwd'], spec => { spec.process.cwd = `/proc/self/fd/${fd}` })
      expect(bundle.run().status).not.toBe(0)
      expect(bundle.leftovers()).toEqual([])
    }, { except: { runc: '1.1.5 is older than the fix' } })
  }

  test('a mount destination swapped for a link to the host stays inside (CVE-2021-30465)', async runtime => {
    await using bundle = new Bundle(runtime, ['cat', '/proc/self/mountinfo'], spec => {
      spec.mounts.push({ destination: '/volume/inside', type: 'tmpfs', source: 'tmpfs' })
    })
    symlinkSync('/../../../../../../../../../tmp', join(bundle.rootfs, 'volume'))
    bundle.run()
    expect(existsSync('/tmp/inside')).toBe(false)
    rmSync(join(bundle.rootfs, 'volume'))
  })

  test('a mount destination that a link leads into /proc is refused (CVE-2025-52881)', async runtime => {
    await using bundle = new Bundle(runtime, ['cat', '/proc/sys/kernel/domainname'], spec => {
      spec.mounts.push({ destination: '/settings/kernel', type: 'bind', source: '@BUNDLE@/feigned', options: ['bind'] })
    })
    symlinkSync('/proc/sys', join(bundle.rootfs, 'settings'))
    mkdirSync(join(bundle.directory, 'feigned'))
    writeFileSync(join(bundle.directory, 'feigned/domainname'), 'feigned')
    const { status, stdout } = bundle.run()
    expect(stdout).not.toContain('feigned')
    expect(status).not.toBe(0)
  }, { except: { crun: '1.8.1 mounts it there' } })

  test('a /dev/null of the image does not serve as a mask (CVE-2025-31133)', async runtime => {
    await using bundle = new Bundle(runtime, ['cat', '/secret'], spec => {
      spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith('/dev'))
      spec.linux.maskedPaths = ['/secret']
    })
    writeFileSync(join(bundle.rootfs, 'secret'), 'secret\n')
    writeFileSync(join(bundle.rootfs, 'public'), 'public\n')
    symlinkSync('/public', join(bundle.rootfs, 'dev/null'))
    const { stdout } = bundle.run()
    expect(stdout).not.toContain('secret')
    expect(stdout).not.toContain('public')
  }, { except: { runc: '1.1.5 is older than the fix, and hangs' } })

  test('a /dev that is a link leads to no device outside', async runtime => {
    await using bundle = new Bundle(runtime, ['true'], spec => { spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith('/dev')) })
    rmSync(join(bundle.rootfs, 'dev'), { recursive: true })
    mkdirSync(join(bundle.directory, 'outside'))
    symlinkSync(`/../../../../../../..${bundle.directory}/outside`, join(bundle.rootfs, 'dev'))
    bundle.run()
    expect(existsSync(join(bundle.directory, 'outside/zero'))).toBe(false)
  }, { except: { crun: 'makes its devices outside (CVE-2026-41579)' } })

  test('an exec does not take the last capability from the container’s /proc', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'mount -t tmpfs x /proc/sys 2>/dev/null; mkdir -p /proc/sys/kernel; echo 0 > /proc/sys/kernel/cap_last_cap; echo up; sleep 100'], spec => {
      for (const set of ['bounding', 'effective', 'permitted'] as const) spec.process.capabilities?.[set]?.push('CAP_SYS_ADMIN')
    })
    bundle.up()
    await until('up', () => bundle.output.includes('up'))
    const own = bundle.exec(['grep', 'CapBnd', '/proc/self/status']).stdout
    expect(own).toBe(bundle.exec(['grep', 'CapBnd', '/proc/1/status']).stdout)
  }, { except: { runc: '1.1.5 reads it there, and leaves every capability in the bounding set' } })

  test('a process of the container cannot read the runtime’s memory or descriptors while it execs', async runtime => {
    // Everything it sees of other processes in its pid namespace, taken as fast as it can while execs come in.
    await using bundle = new Bundle(runtime, ['sh', '-c', 'echo up; while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] || readlink $p/exe; done; done 2>/dev/null'], spec => {
      spec.process.capabilities = { bounding: [], effective: [], permitted: [] }
      spec.process.user = { uid: 0, gid: 0 }
    })
    bundle.up()
    await until('up', () => bundle.output.includes('up'))
    for (let round = 0; round < 5; round++) bundle.exec(['true'])
    const seen = new Set(bundle.output.split('\n').filter(line => line.startsWith('/')))
    expect([...seen].filter(path => !path.startsWith('/bin/'))).toEqual([])
  })
})
