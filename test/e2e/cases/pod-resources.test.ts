import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { ContainerStats, LinuxResources } from '../cri/client.ts'
import { CriLane } from '../cri/lane.ts'
import type { Pod, PodOptions } from '../cri/pod.ts'
import { forEachLane } from '../matrix.ts'
import { commandLine, idPrefix, stackProcesses } from '../leaks.ts'

const mebibyte = 1 << 20
const memory = (mib: number): LinuxResources => ({ memory_limit_in_bytes: mib * mebibyte })
const cpus = (count: number): LinuxResources => ({ cpu_quota: count * 100_000, cpu_period: 100_000, cpu_shares: count * 1024 })
const forever = ['sleep', '100000']

/** What kubelet would make for a pod. */
const parent = `/${idPrefix}pods`

/** CRI's name of the state. */
const exited = 2
/** An emulated guest on a loaded machine takes its time to fill its memory. */
const patience = { timeout: 180_000 }

forEachLane('pod resources', (lane) => {
  const pods = new CriLane(lane)
  const run = (options: Partial<PodOptions> = {}): Promise<Pod> => pods.run({ handler: lane.runtime, ...options })
  const shell = async (pod: Pod, container: string, script: string): Promise<string> => (await pod.shell(container, script)).trim()
  const ended = async (container: string): Promise<{ exit_code: number; reason: string }> => {
    await expect.poll(async () => (await pods.cri.call('ContainerStatus', { container_id: container })).status.state, { timeout: 120_000, interval: 200 }).toBe(exited)
    return (await pods.cri.call('ContainerStatus', { container_id: container })).status
  }

  it('kills what exceeds its memory limit, with reason OOMKilled, and lets the rest of the pod go on', patience, async () => {
    const pod = await run({ resources: memory(96) })
    const other = await pod.start(forever, memory(64))
    // tail keeps its whole input, a line without an end, in memory.
    const greedy = await pod.start(['tail', '-c', '200000000', '/dev/zero'], memory(32))
    expect(await ended(greedy)).toMatchObject({ exit_code: 137, reason: 'OOMKilled' })
    expect(await shell(pod, other, 'echo alive')).toBe('alive')
    const again = await pod.start(['sh', '-c', 'exit 7'], memory(32))
    expect(await ended(again)).toMatchObject({ exit_code: 7 })
  })

  it('resizes a running container up and down', patience, async () => {
    const pod = await run({ resources: { ...memory(64), ...cpus(1) }, annotations: {} })
    const container = await pod.start(forever, { ...memory(64), ...cpus(1) })
    const limits = (): Promise<string> => shell(pod, container, 'cd /sys/fs/cgroup; cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes; cut -d" " -f1 cpu.max 2>/dev/null || cat cpu/cpu.cfs_quota_us')
    for (const [mib, count] of [[192, 2], [64, 1]] as const) {
      await pods.cri.call('UpdateContainerResources', { container_id: container, linux: { ...memory(mib), ...cpus(count) } })
      expect(await limits()).toBe(`${mib * mebibyte}\n${count * 100_000}`)
    }
  })

  it('tells of each container what it uses, in figures that are not zero', patience, async () => {
    // CRI's figures of a pod are those of its cgroup on the host.
    const pod = await run({ cgroupParent: parent })
    const container = await pod.start(['sh', '-c', 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>/dev/null; sleep 100000'], { ...memory(96), ...cpus(1) })
    await expect.poll(() => shell(pod, container, 'ls -s /dev/shm/x 2>/dev/null | grep -c 8192 || true'), { timeout: 120_000 }).toBe('1')
    const { stats } = await pods.cri.call('ContainerStats', { container_id: container })
    expect(zeros(stats)).toEqual([])
    expect(Number(stats.memory?.usage_bytes?.value)).toBeGreaterThan(8 * mebibyte)
    expect(Number(stats.memory?.working_set_bytes?.value) + Number(stats.memory?.available_bytes?.value)).toBe(96 * mebibyte)
    const { linux } = (await pods.cri.call('PodSandboxStats', { pod_sandbox_id: pod.id })).stats
    expect(linux.containers).toHaveLength(1)
    expect(Number(linux.memory?.working_set_bytes?.value)).toBeGreaterThan(0)
    expect(Number(linux.cpu?.usage_core_nano_seconds?.value)).toBeGreaterThan(0)
  })
})

forEachLane('pod resources in a VM', (lane) => {
  const pods = new CriLane(lane)
  const run = (options: Partial<PodOptions> = {}): Promise<Pod> => pods.run({ handler: lane.runtime, ...options })
  const shell = async (pod: Pod, container: string, script: string): Promise<string> => (await pod.shell(container, script)).trim()
  const meminfo = async (pod: Pod, container: string, key: string): Promise<number> => Number(await shell(pod, container, `sed -n 's/^${key}: *\\([0-9]*\\).*/\\1/p' /proc/meminfo`))

  it('sizes the VM by the pod\'s limits, and again when they change', patience, async () => {
    const pod = await run({ resources: { ...memory(128), ...cpus(1.5) } })
    const container = await pod.start(forever, { ...memory(128), ...cpus(1.5) })
    expect(await shell(pod, container, 'nproc')).toBe('2')
    const before = await meminfo(pod, container, 'MemTotal')
    expect(before).toBeGreaterThan(128 * 1024)
    expect(before).toBeLessThan(256 * 1024)
    await pods.cri.call('UpdateContainerResources', { container_id: container, linux: { ...memory(320), ...cpus(1) } })
    expect(await shell(pod, container, 'nproc')).toBe('1')
    expect(await meminfo(pod, container, 'MemTotal')).toBeGreaterThan(320 * 1024)
    await pods.cri.call('UpdateContainerResources', { container_id: container, linux: memory(128) })
    expect(await meminfo(pod, container, 'MemTotal')).toBeLessThan(320 * 1024)
  })

  it('has every process of the sandbox in the pod\'s cgroup, and nothing left of it at the end', patience, async () => {
    const pod = await run({ cgroupParent: parent })
    await pod.start(forever, { oom_score_adj: 777 })
    const vmm = stackProcesses(pods.stack).filter((pid) => /qemu-system.*/.test(commandLine(pid)) && commandLine(pid).includes(pod.id))
    expect(vmm.map((pid) => readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'))).toEqual(['777\n'])
    // The shim and what it started: daemons see no path with an id in it.
    const parentOf = (pid: number): number => Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
    const shim = (pid: number): boolean => /containerd-shim/.test(commandLine(pid)) && commandLine(pid).includes(pod.id)
    const groups = stackProcesses(pods.stack).filter((pid) => shim(pid) || shim(parentOf(pid))).map((pid) => readFileSync(`/proc/${pid}/cgroup`, 'utf8'))
    expect(groups.length).toBeGreaterThanOrEqual(4)
    // VMM and daemons have limits in groups of their own below it.
    for (const group of groups) expect(group).toMatch(new RegExp(`:${parent}/${pod.id}(/\\w+)?\n`))
    const { linux } = (await pods.cri.call('PodSandboxStats', { pod_sandbox_id: pod.id })).stats
    expect(Number(linux.memory?.usage_bytes?.value)).toBeGreaterThan(32 * mebibyte)
    await pod.remove()
    expect(directoriesBelow('/sys/fs/cgroup', 3).filter((path) => path.endsWith(pod.id))).toEqual([])
  })

  it('keeps a fork bomb without a limit of processes to its container', patience, async () => {
    const pod = await run()
    const other = await pod.start(forever)
    const bomb = await pod.start(['sh', '-c', 'while :; do sleep 1000 & done 2>/dev/null'])
    await expect.poll(() => shell(pod, other, 'dmesg 2>/dev/null | tail -1; echo forked'), { timeout: 30_000 }).toContain('forked')
    await expect.poll(async () => Number((await pods.cri.call('ContainerStats', { container_id: bomb })).stats.cpu?.usage_core_nano_seconds?.value), { timeout: 120_000 }).toBeGreaterThan(500_000_000)
    expect(await shell(pod, other, 'for i in 1 2 3 4 5 6 7 8; do sleep 0 & done; wait; echo forked')).toBe('forked')
    await pods.cri.call('StopContainer', { container_id: bomb, timeout: 0 })
    expect(await shell(pod, other, 'echo alive')).toBe('alive')
  })

  it('survives a container without a limit that wants all memory', patience, async () => {
    const pod = await run()
    const other = await pod.start(forever)
    const greedy = await pod.start(['tail', '-c', '2000000000', '/dev/zero'])
    await expect.poll(async () => (await pods.cri.call('ContainerStatus', { container_id: greedy })).status, { timeout: 120_000, interval: 200 }).toMatchObject({ state: exited, exit_code: 137, reason: 'OOMKilled' })
    expect(await shell(pod, other, 'echo alive')).toBe('alive')
  })
}, { runtime: 'kata-ts', reason: 'the VM is what is looked at' })

/** Names of the figures of a container that are zero or missing. */
function zeros({ cpu, memory: used }: ContainerStats): string[] {
  const figures = { cpu: cpu?.usage_core_nano_seconds, working: used?.working_set_bytes, available: used?.available_bytes, usage: used?.usage_bytes, rss: used?.rss_bytes, faults: used?.page_faults }
  return Object.entries(figures).filter(([, value]) => !(Number(value?.value) > 0)).map(([name]) => name)
}

function directoriesBelow(root: string, depth: number): string[] {
  if (depth === 0 || !existsSync(root)) return []
  return readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory()).flatMap((entry) => [`${root}/${entry.name}`, ...directoriesBelow(`${root}/${entry.name}`, depth - 1)])
}
