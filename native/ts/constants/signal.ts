/** Signal numbers of x86_64 and aarch64 (include/uapi/asm-generic/signal.h). */
export const SIGHUP = 1
export const SIGINT = 2
export const SIGQUIT = 3
export const SIGABRT = 6
export const SIGKILL = 9
export const SIGUSR1 = 10
export const SIGUSR2 = 12
export const SIGPIPE = 13
export const SIGALRM = 14
export const SIGTERM = 15
export const SIGCHLD = 17
export const SIGCONT = 18
export const SIGSTOP = 19
export const SIGWINCH = 28
export const SIGRTMIN = 34
export const SIGRTMAX = 64

const names = [
  'HUP', 'INT', 'QUIT', 'ILL', 'TRAP', 'ABRT', 'BUS', 'FPE', 'KILL', 'USR1', 'SEGV', 'USR2', 'PIPE', 'ALRM', 'TERM',
  'STKFLT', 'CHLD', 'CONT', 'STOP', 'TSTP', 'TTIN', 'TTOU', 'URG', 'XCPU', 'XFSZ', 'VTALRM', 'PROF', 'WINCH', 'IO',
  'PWR', 'SYS',
]

/** `SIGTERM`, `TERM`, `term`, `15`, `RTMIN+3` → its number; undefined for anything else. */
export function signalNumber(name: string): number | undefined {
  if (/^\d+$/.test(name)) return valid(Number(name))
  const bare = name.toUpperCase().replace(/^SIG/, '')
  const index = names.indexOf(bare)
  if (index >= 0) return index + 1
  if (bare === 'IOT') return SIGABRT
  if (bare === 'POLL') return 29
  if (bare === 'CLD') return SIGCHLD
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(bare)
  if (!realTime) return undefined
  const offset = Number(`${realTime[2] ?? '+'}${realTime[3] ?? '0'}`)
  const number = (realTime[1] === 'MIN' ? SIGRTMIN : SIGRTMAX) + offset
  return number >= SIGRTMIN ? valid(number) : undefined
}

/** `SIGTERM` for 15; `signal 40` where there is no name. */
export function signalName(number: number): string {
  const name = names[number - 1]
  return name === undefined ? `signal ${number}` : `SIG${name}`
}

function valid(number: number): number | undefined {
  return number >= 1 && number <= SIGRTMAX ? number : undefined
}
