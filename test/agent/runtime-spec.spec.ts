/** What of the runtime spec depends on the kernel, in a guest's: each beside its case in test/oci. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Spec } from '../../protocol/oci/spec.ts'
import { run } from './container.ts'
import { Guest } from './guest.ts'

let guest: Guest

beforeAll(async () => {
  guest = await Guest.boot()
  await guest.agent.createSandbox({ sandboxId: 'test', hostname: 'sandbox', realtimeNs: BigInt(Date.now()) * 1_000_000n, entropy: randomBytes(64), shareTag: 'kata-ts', logLevel: 'debug' })
})

afterAll(async () => {
  expect(await guest.stop(), guest.console).toBe(0)
})

let count = 0

/** Runs a script in a container of its own; gives the lines of its output. */
async function lines(script: string, change: (spec: Spec) => void): Promise<string[]> {
  const { finish } = await run(guest, `spec-${++count}`, ['sh', '-c', script], { change })
  const { status, stdout, stderr } = await finish()
  expect(stderr.toString()).toBe('')
  expect(status).toBe(0)
  return stdout.toString().trim().split('\n')
}

const shift = [{ containerID: 0, hostID: 100_000, size: 65_536 }]

describe('in a guest', () => {
  it('a container has clocks, names and a personality of its own', async () => {
    const seen = await lines('cat /proc/uptime /proc/self/timens_offsets /proc/sys/kernel/domainname; busybox uname -m', spec => {
      spec.linux?.namespaces?.push({ type: 'time' })
      Object.assign(spec.linux ?? {}, { timeOffsets: { boottime: { secs: 1_000_000, nanosecs: 5 }, monotonic: { secs: 7 } }, personality: { domain: 'LINUX32' } })
      spec.domainname = 'example.org'
    })
    expect(Number(seen[0]?.split('.')[0])).toBeGreaterThanOrEqual(1_000_000)
    expect(seen.slice(1).map(line => line.split(/\s+/).join(' '))).toEqual(['monotonic 7 0', 'boottime 1000000 5', 'example.org', 'i686'])
  })

  it('a process has its scheduler, I/O priority and limits', async () => {
    const seen = await lines('busybox cut -d" " -f40,41 /proc/$$/stat; busybox ionice -p $$; busybox awk "/Max (open files|pending|nice|realtime prio)/ {print \\$(NF-2), \\$(NF-1)}" /proc/$$/limits', spec => {
      Object.assign(spec.process ?? {}, {
        scheduler: { policy: 'SCHED_FIFO', priority: 11 }, ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 6 },
        rlimits: [['NOFILE', 50], ['SIGPENDING', 60], ['NICE', 7], ['RTPRIO', 8]].map(([name, value]) => ({ type: `RLIMIT_${name}`, soft: value, hard: value })),
      })
    })
    expect(seen.slice(0, 2)).toEqual(['11 1', 'best-effort: prio 6'])
    expect(seen).toHaveLength(6)
  })

  it('a mount has recursive attributes, and a file system that can the ids of its mappings', async () => {
    const seen = await lines('stat -c %u:%g /mapped; grep -E " /proc2( |/)" /proc/self/mountinfo | busybox cut -d" " -f6', spec => {
      spec.mounts?.push({ destination: '/mapped', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'], uidMappings: shift, gidMappings: shift })
      spec.mounts?.push({ destination: '/proc2', type: 'bind', source: '/sys', options: ['rbind', 'rro', 'rnosuid', 'rnodev', 'rnoexec', 'rnoatime'] })
    })
    expect(seen[0]).toBe('100000:100000')
    expect(seen.length).toBeGreaterThan(2)
    for (const options of seen.slice(1)) expect(options.split(',')).toEqual(expect.arrayContaining(['ro', 'nosuid', 'nodev', 'noexec', 'noatime']))
  })

  it('a share that cannot map ids is refused by name', async () => {
    await expect(run(guest, 'share', ['true'], {
      change: spec => { spec.mounts?.push({ destination: '/data', type: 'bind', source: guest.surroundings.rootfs, options: ['bind'], uidMappings: shift, gidMappings: shift }) },
    })).rejects.toThrow(/rootfs.*EINVAL.*cannot map ids/)
  })

  it('a cgroup has the files of `unified`, and every limit of version 2', async () => {
    const files = ['memory.high', 'memory.max', 'memory.swap.max', 'memory.low', 'cpu.max', 'cpu.max.burst', 'cpu.idle', 'pids.max', 'io.weight', 'hugetlb.2MB.max']
    const seen = await lines(`cd /sys/fs/cgroup; for file in ${files.join(' ')}; do echo $file $(cat $file); done`, spec => {
      if (spec.linux) spec.linux.resources = {
        memory: { limit: 64 << 20, swap: 128 << 20, reservation: 16 << 20 }, cpu: { quota: 50_000, period: 100_000, burst: 10_000, idle: 1 }, pids: { limit: 42 },
        blockIO: { weight: 500 }, hugepageLimits: [{ pageSize: '2MB', limit: 4 << 20 }], unified: { 'memory.high': `${32 << 20}`, 'pids.max': '43' },
      }
    })
    expect(seen).toEqual([
      `memory.high ${32 << 20}`, `memory.max ${64 << 20}`, `memory.swap.max ${64 << 20}`, `memory.low ${16 << 20}`, 'cpu.max 50000 100000', 'cpu.max.burst 10000', 'cpu.idle 1',
      'pids.max 43', 'io.weight default 4950', `hugetlb.2MB.max ${4 << 20}`,
    ])
  })

  it('a cgroup that is mounted to be written to is the container’s own user’s', async () => {
    const seen = await lines('cd /sys/fs/cgroup; stat -c "%u %n" . cgroup.procs memory.max; mkdir below; echo $$ > below/cgroup.procs; cat /proc/self/cgroup', spec => {
      spec.linux?.namespaces?.push({ type: 'user' })
      Object.assign(spec.linux ?? {}, { uidMappings: shift, gidMappings: shift })
      for (const mount of spec.mounts ?? []) if (mount.type === 'cgroup') mount.options = mount.options?.filter(option => option !== 'ro') ?? []
    })
    expect(seen).toEqual(['0 .', '0 cgroup.procs', '65534 memory.max', '0::/below'])
  })

  for (const [what, unified, says] of [['is none', { 'memory.nonsense': '1' }, /memory\.nonsense/], ['does not take its value', { 'memory.high': 'much' }, /memory\.high/]] as const) {
    it(`a file of \`unified\` that ${what} is refused by name`, async () => {
      await expect(run(guest, `unified-${++count}`, ['true'], { change: spec => { if (spec.linux) spec.linux.resources = { unified } } })).rejects.toThrow(says)
    })
  }
})
