import { afterAll, beforeAll, expect, it } from 'vitest'
import { Container } from '../container.ts'
import { forEachLane } from '../matrix.ts'
import type { Spec } from '../spec.ts'
import { Stack } from '../stack.ts'

forEachLane('runtime spec', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  it('gives a container clocks, a personality, a scheduler and an I/O priority of its own, and execs theirs', async () => {
    const container = await Container.create(stack, lane, {
      spec: (spec) => {
        spec.linux.namespaces.push({ type: 'time' })
        Object.assign(spec.linux, { timeOffsets: { boottime: { secs: 1_000_000 } }, personality: { domain: 'LINUX32' } })
        Object.assign(spec.process, { scheduler: { policy: 'SCHED_BATCH', nice: 4 }, ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 0 }, execCPUAffinity: { final: '0' } })
      },
    })
    await container.start()
    expect(await container.shell('test $(cut -d. -f1 /proc/uptime) -ge 1000000 && uname -m; cut -d" " -f19,41 /proc/1/stat; ionice -p 1')).toBe('i686\n4 3\nidle\n')
    const own = await container.exec(['cut', '-d', ' ', '-f19,41', '/proc/self/stat'], { process: (process) => { Object.assign(process, { scheduler: { policy: 'SCHED_OTHER', nice: 7 } }) } })
    expect(own).toEqual({ status: 0, stdout: '7 0\n', stderr: '' })
  })

  for (const [what, says, change] of [
    ['a filter that asks an agent of the host', /SCMP_ACT_NOTIFY asks an agent of the host/, (spec) => {
      spec.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW', listenerPath: '/run/agent.sock', syscalls: [{ names: ['mount'], action: 'SCMP_ACT_NOTIFY' }] }
    }],
    ['a host program for namespaces of the guest', /createContainer hook \/bin\/true/, (spec) => { Object.assign(spec, { hooks: { createContainer: [{ path: '/bin/true' }] } }) }],
    ['a time namespace of the host', /joining the time namespace/, (spec) => { spec.linux.namespaces.push({ type: 'time', path: '/proc/1/ns/time' }) }],
  ] satisfies [string, RegExp, (spec: Spec) => void][]) {
    it(`refuses ${what}, and says so`, async () => {
      await expect(Container.create(stack, lane, { spec: change })).rejects.toThrow(says)
    })
  }
}, { runtime: 'kata-ts', reason: 'runc 1.1 knows none of it' })
