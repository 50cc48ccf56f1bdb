import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Bundle, until } from './bundle.ts'
import { conformance } from './runtimes.ts'

const mib = 1024 * 1024

/** A file of the container's cgroup: this host's hierarchies are v1, where each controller has its own. */
const read = (bundle: Bundle, controller: string, file: string) => readFileSync(`/sys/fs/cgroup/${controller}${bundle.cgroupsPath}/${file}`, 'utf8').trim()
/** Whether a line of /proc/<pid>/cgroup is of a hierarchy in this host's usual place: others are of whoever mounted them. */
const isMounted = (line: string) => existsSync(`/sys/fs/cgroup/${(line.split(':')[1] ?? '').replace(/^name=/, '')}`)
const isV1 = existsSync('/sys/fs/cgroup/memory/tasks')

conformance('cgroup', test => {
  if (!isV1) return

  test('puts the process into the named cgroup of every hierarchy', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    const own = readFileSync(`/proc/${bundle.pid}/cgroup`, 'utf8').trim().split('\n').filter(line => !line.startsWith('0::') && isMounted(line))
    for (const line of own) expect(line).toMatch(new RegExp(`:${bundle.cgroupsPath}$`))
  })

  test('sets memory, CPU, pids and cpuset limits', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'], spec => {
      spec.linux.resources = {
        ...spec.linux.resources,
        memory: { limit: 64 * mib, swap: 128 * mib, reservation: 32 * mib },
        cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: '0', mems: '0' },
        pids: { limit: 42 },
      }
    })
    bundle.up()
    expect(read(bundle, 'memory', 'memory.limit_in_bytes')).toBe(`${64 * mib}`)
    expect(read(bundle, 'memory', 'memory.memsw.limit_in_bytes')).toBe(`${128 * mib}`)
    expect(read(bundle, 'memory', 'memory.soft_limit_in_bytes')).toBe(`${32 * mib}`)
    expect(read(bundle, 'cpu', 'cpu.shares')).toBe('512')
    expect(read(bundle, 'cpu', 'cpu.cfs_quota_us')).toBe('50000')
    expect(read(bundle, 'cpu', 'cpu.cfs_period_us')).toBe('100000')
    expect(read(bundle, 'cpuset', 'cpuset.cpus')).toBe('0')
    expect(read(bundle, 'pids', 'pids.max')).toBe('42')
  })

  test('kills what exceeds its memory', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'dd if=/dev/zero of=/dev/shm/big bs=1M count=100; echo "dd: $?"'], spec => {
      spec.linux.resources = { ...spec.linux.resources, memory: { limit: 16 * mib, swap: 16 * mib } }
    })
    const { stdout, status } = bundle.run()
    // Either dd alone is killed, or with it the shell that is pid 1.
    expect(stdout.includes('dd: 137') || status === 137).toBe(true)
  })

  test('stops a fork bomb at the pids limit', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done 2>&1; echo end'], spec => {
      spec.linux.resources = { ...spec.linux.resources, pids: { limit: 5 } }
    })
    expect(bundle.run().stdout).toMatch(/can't fork/)
  })

  test('denies devices that no rule allows, to root with mknod too', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'mknod /dev/kmsg2 c 1 11 && head -c 1 /dev/kmsg2; cat /dev/zero | head -c 1 | wc -c; echo x > /dev/null && echo null'])
    const { stdout, stderr } = bundle.run()
    expect(stderr).toMatch(/not permitted/)
    expect(stdout).toBe('1\nnull\n')
  })

  test('allows a device that a rule allows', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'mknod /dev/kmsg2 c 1 11; dd if=/dev/kmsg2 bs=8192 count=1 of=/dev/null 2>/dev/null && echo read'], spec => {
      spec.linux.resources = { devices: [{ allow: false, access: 'rwm' }, { allow: true, type: 'c', major: 1, minor: 11, access: 'rwm' }] }
      spec.process.capabilities?.bounding?.push('CAP_SYSLOG')
      spec.process.capabilities?.effective?.push('CAP_SYSLOG')
      spec.process.capabilities?.permitted?.push('CAP_SYSLOG')
    })
    expect(bundle.run().stdout).toBe('read\n')
  })

  test('changes limits of a running container', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'], spec => {
      spec.linux.resources = { ...spec.linux.resources, memory: { limit: 64 * mib, swap: 64 * mib } }
    })
    bundle.up()
    const change = join(bundle.directory, 'resources.json')
    writeFileSync(change, JSON.stringify({ memory: { limit: 128 * mib, swap: 256 * mib }, cpu: { shares: 300 }, pids: { limit: 9 } }))
    expect(bundle.invoke(['update', '--resources', change, bundle.id]).status).toBe(0)
    expect(read(bundle, 'memory', 'memory.limit_in_bytes')).toBe(`${128 * mib}`)
    expect(read(bundle, 'memory', 'memory.memsw.limit_in_bytes')).toBe(`${256 * mib}`)
    expect(read(bundle, 'cpu', 'cpu.shares')).toBe('300')
    expect(read(bundle, 'pids', 'pids.max')).toBe('9')
    writeFileSync(change, JSON.stringify({ memory: { limit: 32 * mib, swap: 32 * mib } }))
    expect(bundle.invoke(['update', '--resources', change, bundle.id]).status).toBe(0)
    expect(read(bundle, 'memory', 'memory.memsw.limit_in_bytes')).toBe(`${32 * mib}`)
    expect(read(bundle, 'cpu', 'cpu.shares')).toBe('300')
  })

  test('mounts the container’s own cgroups read-only', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'cat /sys/fs/cgroup/pids/cgroup.procs; mkdir /sys/fs/cgroup/pids/x 2>&1; ls /sys/fs/cgroup | wc -l'], spec => {
      spec.linux.namespaces?.push({ type: 'cgroup' })
      spec.mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'] })
    })
    const { stdout } = bundle.run()
    expect(stdout).toMatch(/^1\n/)
    expect(stdout).toMatch(/Read-only/)
    expect(Number(stdout.trim().split('\n').at(-1))).toBeGreaterThan(5)
  })

  test('puts an exec’s process into the cgroup', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    const own = bundle.exec(['sh', '-c', 'cat /proc/self/cgroup']).stdout.split('\n').filter(line => /pids|memory/.test(line))
    expect(own.length).toBeGreaterThan(0)
    for (const line of own) expect(line).toContain(bundle.cgroupsPath)
  })

  test('signals every process with kill --all', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'sleep 1000 & sleep 1000 & echo up; trap "" TERM; wait; while :; do sleep 1; done'])
    bundle.up()
    await until('up', () => bundle.output.includes('up'))
    const tasks = () => readdirSync('/proc').filter(name => /^\d+$/.test(name) && inCgroup(name, bundle.cgroupsPath)).length
    await until('three processes', () => tasks() === 3)
    expect(bundle.invoke(['kill', '--all', bundle.id, 'KILL']).status).toBe(0)
    await until('none', () => tasks() === 0)
  })

  test('refuses a limit that the kernel refuses, and leaves nothing', async runtime => {
    await using bundle = new Bundle(runtime, ['true'], spec => { spec.linux.resources = { ...spec.linux.resources, cpu: { cpus: '4000' } } })
    expect(bundle.create().status).not.toBe(0)
    expect(bundle.leftovers()).toEqual([])
  }, { except: { crun: 'leaves the cgroups' } })
})

function inCgroup(pid: string, path: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(path)
  } catch {
    return false
  }
}
