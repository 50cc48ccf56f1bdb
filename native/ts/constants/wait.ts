/** include/uapi/linux/wait.h; CLD_*: include/uapi/asm-generic/siginfo.h. */
export const WNOHANG = 1
export const WEXITED = 4
export const WNOWAIT = 0x01000000
export const P_ALL = 0
export const P_PID = 1
export const P_PIDFD = 3

export const CLD_EXITED = 1
export const CLD_KILLED = 2
export const CLD_DUMPED = 3
