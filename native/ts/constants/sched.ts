/** include/uapi/linux/sched.h; scheduling policies and ioprio classes: sched.h, ioprio.h. */
export const CLONE_NEWTIME = 0x80
export const CLONE_VM = 0x100
export const CLONE_PIDFD = 0x1000
export const CLONE_PARENT = 0x8000
export const CLONE_NEWNS = 0x20000
export const CLONE_NEWCGROUP = 0x2000000
export const CLONE_NEWUTS = 0x4000000
export const CLONE_NEWIPC = 0x8000000
export const CLONE_NEWUSER = 0x10000000
export const CLONE_NEWPID = 0x20000000
export const CLONE_NEWNET = 0x40000000

export const SCHED_OTHER = 0
export const SCHED_FIFO = 1
export const SCHED_RR = 2
export const SCHED_BATCH = 3
export const SCHED_ISO = 4
export const SCHED_IDLE = 5
export const SCHED_DEADLINE = 6
export const SCHED_FLAG_RESET_ON_FORK = 0x01
export const SCHED_FLAG_RECLAIM = 0x02
export const SCHED_FLAG_DL_OVERRUN = 0x04
export const SCHED_FLAG_KEEP_POLICY = 0x08
export const SCHED_FLAG_KEEP_PARAMS = 0x10
export const SCHED_FLAG_UTIL_CLAMP_MIN = 0x20
export const SCHED_FLAG_UTIL_CLAMP_MAX = 0x40

export const IOPRIO_CLASS_RT = 1
export const IOPRIO_CLASS_BE = 2
export const IOPRIO_CLASS_IDLE = 3
export const IOPRIO_CLASS_SHIFT = 13
export const IOPRIO_WHO_PROCESS = 1

/** setpriority(2) */
export const PRIO_PROCESS = 0
