import * as sys from 'native:sys'
import {
  CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS,
} from '../../../native/ts/constants/sched.ts'
import { rlimitNumbers } from '../../../native/ts/constants/resource.ts'
import { PR_SET_NO_NEW_PRIVS } from '../../../native/ts/constants/prctl.ts'
import { check, checked, E, SysError } from '../../../native/ts/errno.ts'
import { dropPrivileges, type Privileges } from '../privileges.ts'
import { enterRoot, type RootPlan } from './root.ts'

/** What a process of a sandbox is shut into: what it can see, use and be, if a guest ever takes it over. */
export interface Confinement {
  root: RootPlan
  /** Undefined: as the shim's. */
  privileges: Privileges | undefined
  /** Descriptors that it may have open. */
  openFiles: number
  /** Classic BPF for seccomp(2), in force from execve(2) on. */
  filter?: Uint8Array
}

/** No network, no System V memory, no process and no mount of the host's; the host's name neither. */
export const confinementNamespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET

/**
 * In a new process with `confinementNamespaces`, before its execve. The order is forced: a root needs the
 * host's and privileges, a filter no_new_privs.
 * @param shim pidfd of the process that it serves, borrowed
 * @param cwd its working directory, in its root
 * @throws SysError
 */
export function confine({ root, privileges, openFiles, filter }: Confinement, shim: number, cwd = '/'): void {
  limit('RLIMIT_CORE', coreBytes)
  limit('RLIMIT_NOFILE', openFiles)
  check('sethostname', hostname, sys.sethostname(hostname))
  enterRoot(root)
  check('chdir', cwd, sys.chdir(cwd))
  if (privileges) dropPrivileges(privileges)
  else check('prctl', 'PR_SET_NO_NEW_PRIVS', sys.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
  requireAlive(shim)
  if (filter) check('seccomp', 'filter', sys.seccompSetModeFilter(filter, 0))
}

const hostname = 'kata-ts'

/**
 * A guest's memory never gets into a core dump. Not 0: with a core_pattern that is a pipe the kernel heeds no limit but 1,
 * which stops it, and a file of one byte is not written either (fs/coredump.c).
 */
const coreBytes = 1

function limit(name: string, value: number): void {
  const number = rlimitNumbers[name] ?? 0
  const wanted = BigInt(value)
  const result = sys.setrlimit(0, number, wanted, wanted)
  // Raising is not for everybody: then all there is.
  if (result === -E.EPERM) {
    const { hard } = checked('getrlimit', name, sys.getrlimit(0, number))
    check('prlimit', `${name} ${hard}`, sys.setrlimit(0, number, hard, hard))
  } else check('prlimit', `${name} ${value}`, result)
}

/** poll(2), x86_64 */
const SYS_poll = 7
const POLLIN = 1

/** The shim may have died before its death could be told, and its pid says nothing in another PID namespace: then there is nobody to serve. */
function requireAlive(pidfd: number): void {
  // struct pollfd: a descriptor, wanted events, seen events. A pidfd is readable once its process has ended (pidfd_open(2)).
  const request = new Uint8Array(8)
  const view = new DataView(request.buffer)
  view.setInt32(0, pidfd, true)
  view.setInt16(4, POLLIN, true)
  if (check('poll', 'shim', sys.syscall(SYS_poll, request, 1, 0)) > 0) throw new SysError('poll', 'shim', E.ESRCH)
}
