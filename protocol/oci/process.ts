import { absolutePath, both, type Check, distinct, flag, int64, list, matching, needed, oneOf, type Place, type Problems, record, show, text, uint32, uint64, whole } from './check.ts'
import { isCpuList } from './cpu-list.ts'

/** What to run in a container, and as whom (config.md#process). */
export interface Process {
  terminal?: boolean
  consoleSize?: ConsoleSize
  user: User
  args?: string[]
  /** `KEY=value` lines. */
  env?: string[]
  cwd: string
  capabilities?: Capabilities
  rlimits?: Rlimit[]
  noNewPrivileges?: boolean
  apparmorProfile?: string
  selinuxLabel?: string
  /** -1000 … 1000; absent: as inherited. */
  oomScoreAdj?: number
  scheduler?: Scheduler
  ioPriority?: IoPriority
  execCPUAffinity?: CpuAffinity
}

/** In characters. */
export interface ConsoleSize {
  height: number
  width: number
}

/** Ids inside the container's user namespace (config.md#posix-platform-user). */
export interface User {
  uid: number
  gid: number
  /** Absent: 0022. */
  umask?: number
  additionalGids?: number[]
  /** Windows only; carried by some clients all the same. */
  username?: string
}

/** The five capability sets, as names (capabilities(7)). */
export interface Capabilities {
  bounding?: string[]
  effective?: string[]
  inheritable?: string[]
  permitted?: string[]
  ambient?: string[]
}

/** One setrlimit(2). A limit of 2^64-1 in the document reads as 2^64 here: no limit. */
export interface Rlimit {
  type: string
  hard: number
  soft: number
}

/** Scheduling policy and its parameters, sched_setattr(2). */
export interface Scheduler {
  policy: string
  nice?: number
  priority?: number
  flags?: string[]
  runtime?: number
  deadline?: number
  period?: number
}

export interface IoPriority {
  class: string
  priority: number
}

/** CPU lists for an exec: before it is in the cgroup, and in it. Init's own are never changed (config.md#linux-process). */
export interface CpuAffinity {
  initial?: string
  final?: string
}

/** Names setrlimit(2) knows, and their numbers (include/uapi/asm-generic/resource.h). */
export const rlimitTypes = [
  'RLIMIT_CPU', 'RLIMIT_FSIZE', 'RLIMIT_DATA', 'RLIMIT_STACK', 'RLIMIT_CORE', 'RLIMIT_RSS', 'RLIMIT_NPROC', 'RLIMIT_NOFILE',
  'RLIMIT_MEMLOCK', 'RLIMIT_AS', 'RLIMIT_LOCKS', 'RLIMIT_SIGPENDING', 'RLIMIT_MSGQUEUE', 'RLIMIT_NICE', 'RLIMIT_RTPRIO', 'RLIMIT_RTTIME',
] as const

const schedulerPolicies = ['SCHED_OTHER', 'SCHED_FIFO', 'SCHED_RR', 'SCHED_BATCH', 'SCHED_ISO', 'SCHED_IDLE', 'SCHED_DEADLINE']
const ioClasses = ['IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE']

/**
 * A capability's name as the spec writes it. A name that this kernel does not know is a warning's matter, not an
 * error's (config.md#linux-process), so only the form is checked.
 */
const capability = matching(/^CAP_[A-Z0-9_]+$/, 'a capability as capabilities(7) writes it, for example CAP_NET_ADMIN', 'config.md#linux-process')
const capabilitySet = list(capability)

const environment = list(matching(/^[^=]+=/, 'KEY=value', 'config.md#process'))

const rlimit = record<Rlimit>(() => ({
  type: needed(oneOf(rlimitTypes, 'config.md#posix-process')),
  hard: needed(uint64),
  soft: needed(uint64),
}), (limit, place, problems) => {
  if (limit.soft > limit.hard) problems.report({ holder: place, key: 'soft' }, `${limit.soft}; must not be above hard, which is ${limit.hard}`, 'setrlimit(2)')
})

const cpuList = both(matching(/^\s*$|^\s*\d+(-\d+)?(\s*,\s*\d+(-\d+)?)*\s*$/, 'a list of CPUs such as 0-3,7'), (value, place, problems) => {
  if (!isCpuList(value as string)) problems.report(place, `${show(value)}; must be a list of CPUs that a machine can have`) // the pattern took strings only
})

function judgeProcess(process: Process, place: Place, problems: Problems): void {
  const { args, scheduler } = process
  if (args === undefined || args.length === 0) {
    problems.report({ holder: place, key: 'args' }, 'empty; give the program to run', 'config.md#process')
  } else if (args[0] === '') {
    problems.report({ holder: { holder: place, key: 'args' }, key: 0 }, 'an empty string; give the program to run', 'config.md#process')
  }
  if (scheduler) judgeScheduler(scheduler, { holder: place, key: 'scheduler' }, problems)
}

/** The kernel would ignore what does not belong to the policy, or take it for something else. */
function judgeScheduler({ policy, nice, priority, runtime, deadline, period }: Scheduler, place: Place, problems: Problems): void {
  const report = (key: string, what: string) => problems.report({ holder: place, key }, what, 'config.md#linux-process')
  if (nice !== undefined && (nice < -20 || nice > 19)) report('nice', `${nice}; must be from -20 to 19`)
  if (priority && policy !== 'SCHED_FIFO' && policy !== 'SCHED_RR') report('priority', `given with ${policy}; only SCHED_FIFO and SCHED_RR take one`)
  if (policy !== 'SCHED_DEADLINE' && (runtime || deadline || period)) report('runtime', `runtime, deadline or period given with ${policy}; only SCHED_DEADLINE takes them`)
}

/** Checks `process` of a spec, or the process of an exec (config.md#process). */
export const process: Check = record<Process>(() => ({
  terminal: flag,
  consoleSize: record<ConsoleSize>(() => ({ height: needed(uint32), width: needed(uint32) })),
  user: needed(record<User>(() => ({
    uid: needed(uint32),
    gid: needed(uint32),
    umask: whole(0, 0o7777),
    additionalGids: list(uint32),
    username: text,
  })), 'give the uid and gid to run as'),
  args: list(text),
  env: environment,
  cwd: needed(absolutePath, 'give the absolute path of the working directory'),
  capabilities: record<Capabilities>(() => ({
    bounding: capabilitySet,
    effective: capabilitySet,
    inheritable: capabilitySet,
    permitted: capabilitySet,
    ambient: capabilitySet,
  })),
  rlimits: both(list(rlimit), distinct<Rlimit>(limit => limit.type, 'config.md#posix-process')),
  noNewPrivileges: flag,
  apparmorProfile: text,
  selinuxLabel: text,
  oomScoreAdj: whole(-1000, 1000),
  scheduler: record<Scheduler>(() => ({
    policy: needed(oneOf(schedulerPolicies, 'config.md#linux-process')),
    nice: int64,
    priority: int64,
    flags: list(matching(/^SCHED_FLAG_[A-Z_]+$/, 'a SCHED_FLAG_… name', 'config.md#linux-process')),
    runtime: uint64,
    deadline: uint64,
    period: uint64,
  })),
  ioPriority: record<IoPriority>(() => ({ class: needed(oneOf(ioClasses, 'config.md#linux-process')), priority: needed(whole(0, 7)) })),
  execCPUAffinity: record<CpuAffinity>(() => ({ initial: cpuList, final: cpuList })),
}), judgeProcess)
