import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { Container, json } from '../container.ts'
import { forEachLane } from '../matrix.ts'
import { Stack } from '../stack.ts'

const mebibyte = 1 << 20

/** A file of the container's own cgroup by its v2 name or its v1 one: the guest has v2, the host of runc may have v1. */
const cgroupFile = (v2: string, v1: string): string => `cat /sys/fs/cgroup/${v2} 2>/dev/null || cat /sys/fs/cgroup/${v1}`

forEachLane('resources', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  it('kills what exceeds the memory limit: status 137 and an OOM event', async () => {
    const events = await stack.client.recordEvents()
    onTestFinished(() => events.close())
    const container = await Container.create(stack, lane, {
      // tail keeps its whole input, a line without an end, in memory.
      args: ['sh', '-c', 'echo go; exec tail -c 200000000 /dev/zero'],
      spec: (spec) => {
        spec.linux.resources['memory'] = { limit: 20 * mebibyte, swap: 20 * mebibyte }
      },
    })
    await container.start()
    expect((await container.finish()).status).toBe(137)
    await events.until('/tasks/oom', container.containerId)
  })

  it('holds the limit of processes', async () => {
    const container = await Container.create(stack, lane, {
      args: ['sh', '-c', 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 100 & done; echo all'],
      spec: (spec) => { spec.linux.resources['pids'] = { limit: 5 } },
    })
    await container.start()
    const { status, stdout, stderr } = await container.finish()
    expect(stdout).toBe('')
    expect(status).not.toBe(0)
    expect(stderr).toMatch(/fork/)
  })

  it('keeps what runs on the host to the CPUs of the cpuset, and follows its change', async () => {
    const container = await Container.create(stack, lane, { args: ['sleep', '100'], spec: (spec) => { spec.linux.resources['cpu'] = { cpus: '1' } } })
    const pid = await container.start()
    const allowed = (): string | undefined => /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    expect(allowed()).toBe('1')
    await stack.client.call('tasks.Update', { container_id: container.containerId, resources: json('LinuxResources', { cpu: { cpus: '0' } }) })
    expect(allowed()).toBe('0')
  })

  it('sets CPU quota, shares and the memory limit where the container can see them', async () => {
    const container = await Container.create(stack, lane, {
      spec: (spec) => {
        spec.linux.resources['cpu'] = { quota: 50_000, period: 100_000, shares: 512 }
        spec.linux.resources['memory'] = { limit: 48 * mebibyte }
      },
    })
    await container.start()
    expect(await container.shell(cgroupFile('cpu.max', 'cpu/cpu.cfs_quota_us'))).toMatch(/^50000( 100000)?\n$/)
    expect(await container.shell(cgroupFile('memory.max', 'memory/memory.limit_in_bytes'))).toBe(`${48 * mebibyte}\n`)
  })

  it('updates limits of a running container', async () => {
    const container = await Container.create(stack, lane, {
      spec: (spec) => { spec.linux.resources['memory'] = { limit: 48 * mebibyte } },
    })
    await container.start()
    await stack.client.call('tasks.Update', {
      container_id: container.containerId,
      resources: json('LinuxResources', { memory: { limit: 64 * mebibyte }, pids: { limit: 77 } }),
    })
    expect(await container.shell(cgroupFile('memory.max', 'memory/memory.limit_in_bytes'))).toBe(`${64 * mebibyte}\n`)
    expect(await container.shell(cgroupFile('pids.max', 'pids/pids.max'))).toBe('77\n')
  })

  it('reports metrics that are not zero', async () => {
    const container = await Container.create(stack, lane, { args: ['sh', '-c', 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; sleep 1000'] })
    await container.start()
    await container.output.until(/done/)
    const { metrics } = await stack.client.call('tasks.Metrics', { filters: [`id==${container.containerId}`] })
    expect(metrics).toHaveLength(1)
    expect(metrics[0]?.data.type_url).toMatch(/^io\.containerd\.cgroups\.v[12]\.Metrics$/)
    // The reading of the fields is ctr's: it knows both metric types.
    const { text } = await stack.ctr(['task', 'metrics', '--format', 'json', container.containerId])
    expect(Object.keys(JSON.parse(text))).toEqual(expect.arrayContaining(['cpu', 'memory', 'pids']))
    const table = (await stack.ctr(['task', 'metrics', container.containerId])).text
    expect(table).toMatch(/(cpuacct\.usage|cpu\.usage_usec)\s+[1-9]/)
    expect(table).toMatch(/(memory\.usage_in_bytes|memory\.usage)\s+[1-9]/)
    expect(table).toMatch(/pids\.current\s+[1-9]/)
  })
})

forEachLane('resources of a VM', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  it('sets huge pages aside for a container that asks for them, and says when there is no room', async () => {
    const asking = (mib: number): Promise<Container> => Container.create(stack, lane, {
      spec: (spec) => { spec.linux.resources['hugepageLimits'] = [{ pageSize: '2MB', limit: mib * mebibyte }] },
    })
    const container = await asking(16)
    await container.start()
    expect(await container.shell('grep HugePages_Total /proc/meminfo; cat /sys/fs/cgroup/hugetlb.2MB.max')).toMatch(new RegExp(`^HugePages_Total: *8\n${16 * mebibyte}\n$`))
    await expect(asking(1 << 20)).rejects.toThrow(/huge pages of 2MB were asked for, and the guest's memory has room for \d+/)
  })

  it('grows by the huge pages of a container that joins it: no limit of the pod counts them', async () => {
    const type = 'io.kubernetes.cri.container-type'
    const first = await Container.create(stack, lane, { spec: (spec) => { spec.annotations = { [type]: 'container' } } })
    await first.start()
    const total = async (): Promise<number> => Number(await first.shell("sed -n 's/^MemTotal: *\\([0-9]*\\).*/\\1/p' /proc/meminfo"))
    const before = await total()
    const second = await Container.create(stack, lane, { spec: (spec) => {
      spec.annotations = { [type]: 'container', 'io.kubernetes.cri.sandbox-id': first.containerId }
      spec.linux.resources['hugepageLimits'] = [{ pageSize: '2MB', limit: 320 * mebibyte }]
    } })
    await second.start()
    expect(await second.shell('grep HugePages_Total /proc/meminfo')).toMatch(/: *160\n$/)
    expect(await total()).toBeGreaterThan(before + 256 * 1024)
  })

  it('is as large as the container\'s limits ask for', async () => {
    const container = await Container.create(stack, lane, {
      spec: (spec) => {
        spec.linux.resources['memory'] = { limit: 400 * mebibyte }
        spec.linux.resources['cpu'] = { quota: 150_000, period: 100_000 }
      },
    })
    await container.start()
    expect(await container.shell('nproc')).toBe('2\n')
    expect(Number(/^MemTotal: +(\d+)/.exec(await container.shell('cat /proc/meminfo'))?.[1])).toBeGreaterThan(400 * 1024)
  })

  it('refuses a limit that the VM cannot grow to, with the way out, and keeps the old one', async () => {
    const container = await Container.create(stack, lane, { spec: (spec) => { spec.linux.resources['memory'] = { limit: 48 * mebibyte } } })
    await container.start()
    await expect(stack.client.call('tasks.Update', { container_id: container.containerId, resources: json('LinuxResources', { memory: { limit: 1024 * mebibyte } }) }))
      .rejects.toThrow(/cannot grow from 256 to \d+ MiB: its machine type is microvm; set hypervisor.machine = "q35"/)
    expect(await container.shell('cat /sys/fs/cgroup/memory.max')).toBe(`${48 * mebibyte}\n`)
  })
}, { runtime: 'kata-ts', reason: 'the VM is what is looked at' })
