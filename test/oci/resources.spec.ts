import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { LinuxResources } from '../../protocol/oci/resources.ts'
import { Bundle } from './bundle.ts'
import { type CaseOptions, conformance } from './runtimes.ts'

const mib = 1024 * 1024
/** This host's hierarchies are v1, where each controller has its own; for v2 see test/agent/runtime-spec.spec.ts. */
const isV1 = existsSync('/sys/fs/cgroup/memory/tasks')
const has = (controller: string, file: string) => existsSync(`/sys/fs/cgroup/${controller}/${file}`)
const disk = readFileSync('/proc/partitions', 'utf8').split('\n').map(line => line.trim().split(/\s+/)).filter(([major]) => Number(major) > 8).map(([major, minor]) => ({ major: Number(major), minor: Number(minor) }))[0] ?? { major: 7, minor: 0 }
const at = `${disk.major}:${disk.minor}`

/** Every key of linux.resources that has a file here: what is asked for, and what the file then says. */
const settings: readonly { key: string; resources: LinuxResources; controller: string; file: string; says: string | RegExp; options?: CaseOptions }[] = [
  { key: 'memory.limit', resources: { memory: { limit: 64 * mib } }, controller: 'memory', file: 'memory.limit_in_bytes', says: `${64 * mib}` },
  { key: 'memory.limit of -1', resources: { memory: { limit: -1 } }, controller: 'memory', file: 'memory.limit_in_bytes', says: /^9223372036854/ },
  { key: 'memory.reservation', resources: { memory: { reservation: 32 * mib } }, controller: 'memory', file: 'memory.soft_limit_in_bytes', says: `${32 * mib}` },
  { key: 'memory.swap', resources: { memory: { limit: 64 * mib, swap: 96 * mib } }, controller: 'memory', file: 'memory.memsw.limit_in_bytes', says: `${96 * mib}` },
  { key: 'memory.swappiness', resources: { memory: { swappiness: 17 } }, controller: 'memory', file: 'memory.swappiness', says: '17' },
  { key: 'memory.kernelTCP', resources: { memory: { kernelTCP: 8 * mib } }, controller: 'memory', file: 'memory.kmem.tcp.limit_in_bytes', says: `${8 * mib}`, options: { except: { runc: '1.1 ignores it' } } },
  { key: 'memory.kernel, which is ignored', resources: { memory: { kernel: 8 * mib } }, controller: 'memory', file: 'memory.limit_in_bytes', says: /^9223372036854/, options: { except: { crun: 'asks the kernel, which knows it no more' } } },
  { key: 'memory.disableOOMKiller', resources: { memory: { limit: 64 * mib, disableOOMKiller: true } }, controller: 'memory', file: 'memory.oom_control', says: /oom_kill_disable 1/ },
  { key: 'cpu.shares', resources: { cpu: { shares: 300 } }, controller: 'cpu', file: 'cpu.shares', says: '300' },
  { key: 'cpu.quota', resources: { cpu: { quota: 40_000, period: 80_000 } }, controller: 'cpu', file: 'cpu.cfs_quota_us', says: '40000' },
  { key: 'cpu.quota of -1', resources: { cpu: { quota: -1 } }, controller: 'cpu', file: 'cpu.cfs_quota_us', says: '-1', options: { except: { crun: '1.8 takes it for a number without a sign' } } },
  { key: 'cpu.period', resources: { cpu: { period: 80_000 } }, controller: 'cpu', file: 'cpu.cfs_period_us', says: '80000' },
  { key: 'cpu.burst', resources: { cpu: { quota: 40_000, period: 80_000, burst: 9000 } }, controller: 'cpu', file: 'cpu.cfs_burst_us', says: '9000', options: { alone: 'runc 1.1 and crun 1.8 ignore it' } },
  { key: 'cpu.realtimeRuntime', resources: { cpu: { realtimePeriod: 1_000_000, realtimeRuntime: 1000 } }, controller: 'cpu', file: 'cpu.rt_runtime_us', says: '1000' },
  { key: 'cpu.realtimePeriod', resources: { cpu: { realtimePeriod: 900_000 } }, controller: 'cpu', file: 'cpu.rt_period_us', says: '900000' },
  { key: 'cpu.idle', resources: { cpu: { idle: 1 } }, controller: 'cpu', file: 'cpu.idle', says: '1', options: { except: { runc: '1.1 ignores it' } } },
  { key: 'cpu.cpus', resources: { cpu: { cpus: '0' } }, controller: 'cpuset', file: 'cpuset.cpus', says: '0' },
  { key: 'cpu.mems', resources: { cpu: { mems: '0' } }, controller: 'cpuset', file: 'cpuset.mems', says: '0' },
  { key: 'pids.limit', resources: { pids: { limit: 77 } }, controller: 'pids', file: 'pids.max', says: '77' },
  { key: 'pids.limit of -1', resources: { pids: { limit: -1 } }, controller: 'pids', file: 'pids.max', says: 'max', options: { except: { crun: '1.8 takes it for a number without a sign' } } },
  { key: 'blockIO.weight', resources: { blockIO: { weight: 321 } }, controller: 'blkio', file: 'blkio.bfq.weight', says: '321', options: { except: { crun: '1.8 knows the file of CFQ alone' } } },
  { key: 'blockIO.throttleReadBpsDevice', resources: { blockIO: { throttleReadBpsDevice: [{ ...disk, rate: 1_000_000 }] } }, controller: 'blkio', file: 'blkio.throttle.read_bps_device', says: `${at} 1000000` },
  { key: 'blockIO.throttleWriteBpsDevice', resources: { blockIO: { throttleWriteBpsDevice: [{ ...disk, rate: 2_000_000 }] } }, controller: 'blkio', file: 'blkio.throttle.write_bps_device', says: `${at} 2000000` },
  { key: 'blockIO.throttleReadIOPSDevice', resources: { blockIO: { throttleReadIOPSDevice: [{ ...disk, rate: 300 }] } }, controller: 'blkio', file: 'blkio.throttle.read_iops_device', says: `${at} 300` },
  { key: 'blockIO.throttleWriteIOPSDevice', resources: { blockIO: { throttleWriteIOPSDevice: [{ ...disk, rate: 400 }] } }, controller: 'blkio', file: 'blkio.throttle.write_iops_device', says: `${at} 400` },
  { key: 'hugepageLimits', resources: { hugepageLimits: [{ pageSize: '2MB', limit: 4 * mib }] }, controller: 'hugetlb', file: 'hugetlb.2MB.limit_in_bytes', says: `${4 * mib}` },
  { key: 'network.classID', resources: { network: { classID: 0x100001 } }, controller: 'net_cls', file: 'net_cls.classid', says: `${0x100001}` },
  { key: 'network.priorities', resources: { network: { priorities: [{ name: 'lo', priority: 5 }] } }, controller: 'net_prio', file: 'net_prio.ifpriomap', says: /lo 5/ },
]

conformance('linux.resources', test => {
  if (!isV1) return

  for (const { key, resources, controller, file, says, options } of settings) {
    const read = (bundle: Bundle) => readFileSync(`/sys/fs/cgroup/${controller}${bundle.cgroupsPath}/${file}`, 'utf8').trim()
    const there = has(controller, 'tasks')
    test(there ? `sets ${key}` : `refuses ${key} without its controller`, async runtime => {
      await using bundle = new Bundle(runtime, ['sleep', '100'], spec => { spec.linux.resources = { ...spec.linux.resources, ...resources } })
      const created = bundle.create()
      if (!there) {
        expect(created.status).not.toBe(0)
        expect(created.stderr).toContain(controller)
        expect(bundle.leftovers()).toEqual([])
        return
      }
      expect(created).toMatchObject({ status: 0 })
      expect(read(bundle)).toMatch(says)
    }, there ? options : { except: { crun: 'leaves the cgroups' } })
  }

  test('changes what an update names', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    const change = join(bundle.directory, 'resources.json')
    const read = (controller: string, file: string) => readFileSync(`/sys/fs/cgroup/${controller}${bundle.cgroupsPath}/${file}`, 'utf8').trim()
    writeFileSync(change, JSON.stringify({ blockIO: { weight: 123 }, cpu: { quota: 30_000, period: 60_000, cpus: '0' } }))
    expect(bundle.invoke(['update', '--resources', change, bundle.id]).status).toBe(0)
    expect([read('blkio', 'blkio.bfq.weight'), read('cpu', 'cpu.cfs_quota_us'), read('cpuset', 'cpuset.cpus')]).toEqual(['123', '30000', '0'])
  }, { except: { crun: '1.8 knows the file of CFQ alone' } })

  test('refuses a memory limit below what is in use, with checkBeforeUpdate', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'dd if=/dev/zero of=/dev/shm/x bs=1M count=20 2>/dev/null; echo full; sleep 100'])
    bundle.up()
    while (!bundle.output.includes('full')) await new Promise(resolve => setTimeout(resolve, 5))
    const change = join(bundle.directory, 'resources.json')
    writeFileSync(change, JSON.stringify({ memory: { limit: mib, swap: mib, checkBeforeUpdate: true } }))
    const { status, stderr } = bundle.invoke(['update', '--resources', change, bundle.id])
    expect(status).not.toBe(0)
    expect(stderr).toContain(`${mib}`)
    expect(bundle.status).toBe('running')
  }, { alone: 'runtime-spec 1.1; runc 1.1 sets the limit' })

  test('refuses `unified`, which is of version 2', async runtime => {
    await using bundle = new Bundle(runtime, ['true'], spec => { spec.linux.resources = { ...spec.linux.resources, unified: { 'memory.high': '1000000' } } })
    const { status, stderr } = bundle.create()
    expect(status).not.toBe(0)
    expect(stderr).toMatch(/unified/)
    expect(bundle.leftovers()).toEqual([])
  }, { except: { crun: 'leaves the cgroups' } })

  test('takes a huge page limit of zero for none, where there is no controller', async runtime => {
    await using bundle = new Bundle(runtime, ['echo', 'runs'], spec => { spec.linux.resources = { ...spec.linux.resources, hugepageLimits: [{ pageSize: '2MB', limit: 0 }] } })
    expect(bundle.run().stdout).toBe('runs\n')
  }, { alone: 'CRI clients name every page size so' })
})
