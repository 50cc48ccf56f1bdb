import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Bundle, type Change } from './bundle.ts'
import { conformance } from './runtimes.ts'

const files = { pid: 'pid', ipc: 'ipc', uts: 'uts', mount: 'mnt', network: 'net', user: 'user', cgroup: 'cgroup', time: 'time' } as const

/** Namespace links as the container's process sees its own. */
const links = ['sh', '-c', Object.values(files).map(name => `readlink /proc/self/ns/${name}`).join('; ')]

const hostLinks = Object.values(files).map(name => readlinkSync(`/proc/self/ns/${name}`))

conformance('namespaces', test => {
  test('makes those of the spec, and no others', async runtime => {
    await using bundle = new Bundle(runtime, links)
    const seen = bundle.run().stdout.split('\n')
    Object.keys(files).forEach((type, index) => {
      const isNew = ['pid', 'ipc', 'uts', 'mount', 'network'].includes(type)
      expect(seen[index] !== hostLinks[index], type).toBe(isNew)
    })
  })

  test('makes a cgroup namespace rooted at the container', async runtime => {
    await using bundle = new Bundle(runtime, ['cat', '/proc/self/cgroup'], spec => { spec.linux.namespaces?.push({ type: 'cgroup' }) })
    const lines = bundle.run().stdout.trim().split('\n').filter(line => !line.startsWith('0::'))
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines) expect(line).toMatch(/:\/$/)
  })

  test('is pid 1 and sees only its own processes', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'echo $$; ls /proc | grep -c "^[0-9]"'])
    const [pid, count] = bundle.run().stdout.split('\n')
    expect(pid).toBe('1')
    expect(Number(count)).toBeLessThanOrEqual(3)
  })

  test('has hostname and, inside, may not be the host', async runtime => {
    await using bundle = new Bundle(runtime, ['hostname'], spec => { spec.hostname = 'other-name' })
    expect(bundle.run().stdout).toBe('other-name\n')
  })

  test('has a domain name', async runtime => {
    await using bundle = new Bundle(runtime, ['cat', '/proc/sys/kernel/domainname'], spec => {
      spec.domainname = 'example.org'
      spec.ociVersion = '1.1.0'
    })
    expect(bundle.run().stdout).toBe('example.org\n')
  }, { except: { runc: '1.1 does not know it' } })

  test('has its loopback interface up', async runtime => {
    await using bundle = new Bundle(runtime, ['ip', 'addr'])
    const { stdout } = bundle.run()
    expect(stdout).toMatch(/lo: <LOOPBACK,UP/)
    expect(stdout).toContain('127.0.0.1/8')
    expect(stdout.match(/^\d+:/gm)?.filter(line => !line.startsWith('1:')).length ?? 0).toBeLessThanOrEqual(5)
  })

  test('applies sysctls of its namespaces', async runtime => {
    await using bundle = new Bundle(runtime, ['cat', '/proc/sys/net/ipv4/ip_forward', '/proc/sys/kernel/shmmax', '/proc/sys/fs/mqueue/msg_max'], spec => {
      spec.linux.sysctl = { 'net.ipv4.ip_forward': '1', 'kernel.shmmax': '123456', 'fs.mqueue.msg_max': '7' }
    })
    expect(bundle.run().stdout).toBe('1\n123456\n7\n')
  })

  for (const [why, sysctl] of [['of the whole machine', 'vm.swappiness'], ['unknown', 'kernel.no_such_key']] as const) {
    test(`refuses a sysctl that is ${why}`, async runtime => {
      await using bundle = new Bundle(runtime, ['true'], spec => { spec.linux.sysctl = { [sysctl]: '1' } })
      expect(bundle.create().status).not.toBe(0)
      expect(bundle.leftovers()).toEqual([])
    })
  }

  for (const type of ['pid', 'network', 'ipc', 'uts'] as const) {
    test(`joins a ${type} namespace by its path`, async runtime => {
      await using first = new Bundle(runtime, ['sleep', '100'])
      first.up()
      const path = `/proc/${first.pid}/ns/${files[type]}`
      await using second = new Bundle(runtime, ['readlink', `/proc/self/ns/${files[type]}`], spec => {
        spec.linux.namespaces = (spec.linux.namespaces ?? []).map(one => one.type === type ? { type, path } : one)
        if (type === 'uts') delete spec.hostname
      })
      expect(second.run().stdout).toBe(`${readlinkSync(path)}\n`)
    })
  }

  test('refuses a namespace path that does not exist', async runtime => {
    await using bundle = new Bundle(runtime, ['true'], spec => { spec.linux.namespaces = [{ type: 'pid' }, { type: 'mount' }, { type: 'network', path: '/proc/999999/ns/net' }]; delete spec.hostname })
    expect(bundle.create().status).not.toBe(0)
    expect(bundle.leftovers()).toEqual([])
  })

  test('maps ids in a user namespace', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'cat /proc/self/uid_map /proc/self/gid_map; id -u; touch /tmp/made; stat -c %u:%g /tmp/made; ls -l /dev/null; echo x > /dev/null; cat /sys/kernel/hostname >/dev/null 2>&1; hostname'], spec => {
      spec.linux.namespaces?.push({ type: 'user' })
      spec.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
      spec.linux.gidMappings = [{ containerID: 0, hostID: 200_000, size: 65_536 }]
    })
    execFileSync('chown', ['-R', '100000:200000', bundle.rootfs])
    execFileSync('chmod', ['711', bundle.directory])
    const { stdout, stderr } = bundle.run()
    const lines = stdout.split('\n').map(line => line.trim().replace(/\s+/g, ' '))
    expect(stderr).toBe('')
    expect(lines.slice(0, 4)).toEqual(['0 100000 65536', '0 200000 65536', '0', '0:0'])
    expect(stdout).toContain('case\n')
    expect(execFileSync('stat', ['-c', '%u:%g', join(bundle.rootfs, 'tmp/made')], { encoding: 'utf8' })).toBe('100000:200000\n')
  })

  test('execs in a user namespace', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'], spec => {
      spec.process.oomScoreAdj = 700
      spec.linux.namespaces?.push({ type: 'user' })
      spec.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
      spec.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
    })
    execFileSync('chown', ['-R', '100000:100000', bundle.rootfs])
    execFileSync('chmod', ['711', bundle.directory])
    bundle.up()
    expect(readFileSync(`/proc/${bundle.pid}/oom_score_adj`, 'utf8')).toBe('700\n')
    const { stdout } = bundle.exec(['sh', '-c', 'id -u; readlink /proc/self/ns/user; readlink /proc/1/ns/user'])
    const [uid, own, init] = stdout.split('\n')
    expect(uid).toBe('0')
    expect(own).toBe(init)
  }, { except: { crun: 'an exec in its first moments now and then gives nothing' } })

  test('joins a user namespace by its path, to which what is made for the container belongs', async runtime => {
    const mapped = (path?: string): Change => spec => {
      spec.linux.namespaces?.push(path === undefined ? { type: 'user' } : { type: 'user', path })
      spec.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
      spec.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
    }
    const ready = (bundle: Bundle): void => {
      execFileSync('chown', ['-R', '100000:100000', bundle.rootfs])
      execFileSync('chmod', ['711', bundle.directory])
    }
    await using first = new Bundle(runtime, ['sleep', '100'], mapped())
    ready(first)
    first.up()
    const path = `/proc/${first.pid}/ns/user`
    // /proc can be mounted only by who has the rights over the PID namespace.
    await using second = new Bundle(runtime, ['sh', '-c', 'readlink /proc/self/ns/user; id -u; echo $$'], mapped(path))
    ready(second)
    expect(second.run().stdout).toBe(`${readlinkSync(path)}\n0\n1\n`)
  })

  test('shifts the clocks of a time namespace', async runtime => {
    await using bundle = new Bundle(runtime, ['cat', '/proc/uptime'], spec => {
      spec.linux.namespaces?.push({ type: 'time' })
      spec.linux.timeOffsets = { boottime: { secs: 1_000_000 }, monotonic: { secs: 500_000 } }
      spec.ociVersion = '1.1.0'
    })
    expect(Number(bundle.run().stdout.split('.')[0])).toBeGreaterThan(1_000_000)
  }, { alone: 'runtime-spec 1.1' })
})

