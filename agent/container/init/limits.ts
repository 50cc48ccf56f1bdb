import * as sys from 'native:sys'
import { rlimitNumbers, RLIM_INFINITY } from '../../../native/ts/constants/resource.ts'
import {
  IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE, IOPRIO_CLASS_RT, IOPRIO_CLASS_SHIFT, IOPRIO_WHO_PROCESS, SCHED_BATCH, SCHED_DEADLINE, SCHED_FIFO,
  SCHED_FLAG_DL_OVERRUN, SCHED_FLAG_KEEP_PARAMS, SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_RECLAIM, SCHED_FLAG_RESET_ON_FORK,
  SCHED_FLAG_UTIL_CLAMP_MAX, SCHED_FLAG_UTIL_CLAMP_MIN, SCHED_IDLE, SCHED_ISO, SCHED_OTHER, SCHED_RR,
} from '../../../native/ts/constants/sched.ts'
import { check, E, isErrno } from '../../../native/ts/errno.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { writeKernelFile } from '../../../native/ts/file.ts'
import type { LinuxPersonality } from '../../../protocol/oci/linux.ts'
import type { Process, Rlimit, Scheduler } from '../../../protocol/oci/process.ts'

/** While /proc is still the runtime's. An unset score is inherited, like every other property of a child. */
export function applyOomScore(process: Process): void {
  if (process.oomScoreAdj !== undefined) writeKernelFile('/proc/self/oom_score_adj', `${process.oomScoreAdj}`)
}

/**
 * The same from outside, for a process in a user namespace: the file of one that must not be looked at belongs to the machine's root, and
 * lowering a score takes rights over the machine. A process that has ended says itself why.
 */
export function giveOomScore(pid: number, { oomScoreAdj }: Process): void {
  if (oomScoreAdj === undefined) return
  try {
    writeKernelFile(`/proc/${pid}/oom_score_adj`, `${oomScoreAdj}`)
  } catch (error) {
    if (!isErrno(error, E.ENOENT, E.ESRCH)) throw error
  }
}

/**
 * CPU affinity, scheduling and I/O priority. Late, as the runtime's own steps are not to run under them: a deadline task may
 * not even fork (sched(7)); before the user changes, as most take CAP_SYS_NICE.
 */
export function applyScheduling(process: Process, affinity: readonly number[] | undefined): void {
  if (affinity) check('sched_setaffinity', `CPUs ${affinity.join(',')}`, sys.schedSetaffinity(0, [...affinity]))
  if (process.scheduler) applyScheduler(process.scheduler)
  if (process.ioPriority) {
    const { class: name, priority } = process.ioPriority
    const ioClass = named(ioClasses, name, 'ioPriority.class')
    check('ioprio_set', `${name} ${priority}`, sys.ioprioSet(IOPRIO_WHO_PROCESS, 0, (ioClass << IOPRIO_CLASS_SHIFT) | priority))
  }
}

const ioClasses: Readonly<Record<string, number>> = {
  IOPRIO_CLASS_RT: IOPRIO_CLASS_RT, IOPRIO_CLASS_BE: IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE: IOPRIO_CLASS_IDLE,
}
const policies: Readonly<Record<string, number>> = {
  SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_ISO, SCHED_IDLE, SCHED_DEADLINE,
}
const schedulerFlags: Readonly<Record<string, number>> = {
  SCHED_FLAG_RESET_ON_FORK, SCHED_FLAG_RECLAIM, SCHED_FLAG_DL_OVERRUN, SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_KEEP_PARAMS,
  SCHED_FLAG_UTIL_CLAMP_MIN, SCHED_FLAG_UTIL_CLAMP_MAX,
}

function applyScheduler(scheduler: Scheduler): void {
  const flags = (scheduler.flags ?? []).reduce((all, name) => all | named(schedulerFlags, name, 'scheduler.flags'), 0)
  check('sched_setattr', scheduler.policy, sys.schedSetattr(0, {
    policy: named(policies, scheduler.policy, 'scheduler.policy'),
    flags: BigInt(flags),
    nice: scheduler.nice ?? 0,
    priority: scheduler.priority ?? 0,
    runtime: BigInt(scheduler.runtime ?? 0),
    deadline: BigInt(scheduler.deadline ?? 0),
    period: BigInt(scheduler.period ?? 0),
  }))
}

/** personality(2): include/uapi/linux/personality.h. */
const personas: Readonly<Record<string, number>> = { LINUX: 0, LINUX32: 0x0008 }

/** personality(2). Throws Fault for a domain that is not known, SysError. */
export function applyPersonality(personality: LinuxPersonality | undefined): void {
  if (!personality) return
  check('personality', personality.domain, sys.personality(named(personas, personality.domain, 'linux.personality.domain')))
}

/**
 * Resource limits. They come late: a tight one (RLIMIT_NOFILE 3) would hit the runtime's own steps;
 * but before the user changes, because raising a hard limit takes CAP_SYS_RESOURCE.
 */
export function applyRlimits(limits: readonly Rlimit[]): void {
  for (const { type, soft, hard } of limits) {
    const number = named(rlimitNumbers, type, 'process.rlimits')
    check('setrlimit', `${type} to ${soft}:${hard}`, sys.setrlimit(0, number, limit(soft), limit(hard)))
  }
}

/** A JSON number above 2^53 has been rounded, up to 2^64 for RLIM_INFINITY itself. */
function limit(value: number): bigint {
  const whole = BigInt(value)
  return whole > RLIM_INFINITY ? RLIM_INFINITY : whole
}

function named(table: Readonly<Record<string, number>>, name: string, field: string): number {
  const value = table[name]
  if (value === undefined) throw new Fault(`${field} has the unknown value ${name}`)
  return value
}
