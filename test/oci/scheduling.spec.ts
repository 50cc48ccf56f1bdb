import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { CpuAffinity, Scheduler } from '../../protocol/oci/process.ts'
import { baseSpec, Bundle, type Change, field } from './bundle.ts'
import { type CaseOptions, conformance } from './runtimes.ts'

/** As the tests run: policies without a nice value of their own keep it. */
const inherited = getPriority()
/** What nobody has bound this process to. */
const everywhere = field(readFileSync('/proc/self/status', 'utf8'), 'Cpus_allowed_list') ?? ''
const isV1 = existsSync('/sys/fs/cgroup/cpu/cpu.rt_runtime_us')

/** proc(5), /proc/<pid>/stat: nice, rt_priority, policy. */
const scheduling = ['cut', '-d', ' ', '-f19,40,41', '/proc/self/stat']
/** sched(7), by number: include/uapi/linux/sched.h */
const [OTHER, FIFO, RR, BATCH, IDLE, DEADLINE] = [0, 1, 2, 3, 5, 6]

/** With time to run under a real-time policy, of which a new cgroup v1 has none. */
const withScheduler = (scheduler: Scheduler): Change => spec => {
  spec.process.scheduler = scheduler
  const isRealtime = ['SCHED_FIFO', 'SCHED_RR'].includes(scheduler.policy)
  if (isRealtime && isV1) spec.linux.resources = { ...spec.linux.resources, cpu: { realtimePeriod: 1_000_000, realtimeRuntime: 100_000 } }
}
const since: CaseOptions = { alone: 'runtime-spec 1.1' }

/** The process of an exec, in a file. */
function processFile(bundle: Bundle, args: string[], change: (process: ReturnType<typeof baseSpec>['process']) => void): string {
  const { process } = baseSpec(args)
  change(process)
  const path = join(bundle.directory, 'process.json')
  writeFileSync(path, JSON.stringify(process))
  return path
}

conformance('scheduling', test => {
  for (const [scheduler, expected] of [
    [{ policy: 'SCHED_OTHER', nice: 5 }, `5 0 ${OTHER}`],
    [{ policy: 'SCHED_BATCH', nice: 3 }, `3 0 ${BATCH}`],
    [{ policy: 'SCHED_IDLE' }, `${inherited} 0 ${IDLE}`],
    [{ policy: 'SCHED_FIFO', priority: 7 }, `${inherited} 7 ${FIFO}`],
    [{ policy: 'SCHED_RR', priority: 9, flags: ['SCHED_FLAG_RESET_ON_FORK'] }, `${inherited} 9 ${RR}`],
    [{ policy: 'SCHED_DEADLINE', runtime: 10_000_000, deadline: 100_000_000, period: 100_000_000 }, `${inherited} 0 ${DEADLINE}`],
  ] satisfies [Scheduler, string][]) {
    test(`runs under ${scheduler.policy}`, async runtime => {
      await using bundle = new Bundle(runtime, scheduling, withScheduler(scheduler))
      const { stdout, stderr } = bundle.run()
      expect(stderr).toBe('')
      expect(stdout).toBe(`${expected}\n`)
    }, since)
  }

  for (const [why, scheduler] of [
    ['of an unknown policy', { policy: 'SCHED_NONSENSE' }], ['with an unknown flag', { policy: 'SCHED_OTHER', flags: ['SCHED_FLAG_NONSENSE'] }],
    ['with a nice value beyond 19', { policy: 'SCHED_OTHER', nice: 20 }], ['with a priority that its policy has not', { policy: 'SCHED_OTHER', priority: 1 }],
    ['with a runtime that its policy has not', { policy: 'SCHED_FIFO', priority: 1, runtime: 1 }], ['with a priority that the kernel does not know', { policy: 'SCHED_FIFO', priority: 100 }],
  ] satisfies [string, Scheduler][]) {
    test(`refuses a scheduler ${why}`, async runtime => {
      await using bundle = new Bundle(runtime, ['true'], withScheduler(scheduler))
      const { status, stderr } = bundle.create()
      expect(status).not.toBe(0)
      expect(stderr).toMatch(/scheduler|sched_setattr/)
      expect(bundle.leftovers()).toEqual([])
    }, since)
  }

  for (const [ioClass, priority, expected] of [['IOPRIO_CLASS_BE', 6, 'best-effort: prio 6'], ['IOPRIO_CLASS_RT', 2, 'realtime: prio 2'], ['IOPRIO_CLASS_IDLE', 0, 'idle']] as const) {
    test(`has the I/O priority ${ioClass}`, async runtime => {
      await using bundle = new Bundle(runtime, ['ionice'], spec => { spec.process.ioPriority = { class: ioClass, priority } })
      expect(bundle.run().stdout.trim()).toMatch(new RegExp(`^${expected}`))
    }, since)
  }

  test('gives an exec its own scheduler and I/O priority, and leaves init’s alone', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    const file = processFile(bundle, ['sh', '-c', `${scheduling.map(word => `'${word}'`).join(' ')}; ionice; cut -d ' ' -f19,40,41 /proc/1/stat`], process => {
      process.scheduler = { policy: 'SCHED_BATCH', nice: 2 }
      process.ioPriority = { class: 'IOPRIO_CLASS_BE', priority: 1 }
    })
    expect(bundle.invoke(['exec', '--process', file, bundle.id]).stdout).toBe(`2 0 ${BATCH}\nbest-effort: prio 1\n${inherited} 0 ${OTHER}\n`)
  }, since)

  for (const [what, affinity, expected] of [
    ['before it joins, and afterwards', { initial: '0', final: '1' }, '1'], ['before it joins', { initial: '1' }, '1'], ['afterwards', { final: '0' }, '0'], ['not at all', {}, everywhere],
  ] satisfies [string, CpuAffinity, string][]) {
    for (const by of ['its own process', 'the container’s'] as const) {
      test(`binds an exec to CPUs ${what}, as ${by} says`, async runtime => {
        const command = ['grep', 'Cpus_allowed_list', '/proc/self/status']
        await using bundle = new Bundle(runtime, ['sh', '-c', `${command.join(' ')}; sleep 100`], spec => { if (by !== 'its own process') spec.process.execCPUAffinity = affinity })
        bundle.up()
        const file = processFile(bundle, command, process => { if (by === 'its own process') process.execCPUAffinity = affinity })
        expect(field(bundle.invoke(['exec', '--process', file, bundle.id]).stdout, 'Cpus_allowed_list')).toBe(expected)
        expect(field(bundle.output, 'Cpus_allowed_list')).toBe(everywhere)
      }, { alone: 'runtime-spec 1.2' })
    }
  }

  test('refuses an exec bound to a CPU that is not there', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    const file = processFile(bundle, ['true'], process => { process.execCPUAffinity = { final: '4000' } })
    const { status, stderr } = bundle.invoke(['exec', '--process', file, bundle.id])
    expect(status).not.toBe(0)
    expect(stderr).toMatch(/4000/)
  }, { alone: 'runtime-spec 1.2' })
})
