/** The steps that init and exec have in common: from a process in the right namespaces and root to the program. */
import * as sys from 'native:sys'
import { PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS } from '../../../native/ts/constants/prctl.ts'
import { check, E } from '../../../native/ts/errno.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { applyCapabilities } from './capabilities.ts'
import { placeDescriptors } from './descriptors.ts'
import type { ParentLink } from './dialogue.ts'
import { becomeUser } from './identity.ts'
import { applyRlimits, applyScheduling } from './limits.ts'
import type { ProcessPlan } from './plan.ts'
import { execute, findProgram, withHome } from './program.ts'
import { controlTerminal } from './terminal.ts'

/** A process that lacks nothing but its start. */
export interface ReadyProcess {
  /** Where the start is asked for, if not over the dialogue. */
  listener: number | undefined
  path: string
  env: string[]
}

/**
 * Until execve makes it dumpable again, no process of the container may open this one's /proc/<pid>/exe, its memory or
 * its descriptors (prctl(2) PR_SET_DUMPABLE, ptrace(2)): the runtime's program is what CVE-2019-5736 wrote to.
 */
export function hideFromPeers(): void {
  check('prctl', 'PR_SET_DUMPABLE', sys.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
}

/** In a user namespace: root of it, which the parent's id maps have just defined. */
export function becomeMappedRoot(): void {
  check('setresgid', '0 of the user namespace', sys.setresgid(0, 0, 0))
  check('setresuid', '0 of the user namespace', sys.setresuid(0, 0, 0))
  // EPERM: a namespace whose setgroups is denied (user_namespaces(7)).
  const dropped = sys.setgroups([])
  if (dropped !== -E.EPERM) check('setgroups', 'none', dropped)
}

/** A session of its own, and a session keyring named after `id`: what the runtime's holds is not for the container. undefined: it keeps that. */
export function joinSession(id: string | undefined): void {
  check('setsid', '', sys.setsid())
  if (id === undefined) return
  const joined = sys.keyctlJoinSession(`_ses.${id}`)
  // A kernel without keyrings has nothing to separate; a filter around the runtime (Docker's) forbids the call.
  if (joined !== -E.ENOSYS && joined !== -E.EPERM) check('keyctl', 'join session keyring', joined)
}

/**
 * Descriptors, directory, limits, user and program. `stdio`: descriptors to use in place of the plan's (a terminal).
 * The order: descriptors first, since limits may forbid more; limits and scheduling before the user, as they take
 * CAP_SYS_RESOURCE and CAP_SYS_NICE; the directory as the user would be refused what root may enter, so it is tried as both.
 */
export function prepareProcess(plan: ProcessPlan, link: ParentLink, stdio: number[] | undefined, listener: number | undefined): ReadyProcess {
  const { process } = plan
  const own = stdio ?? (plan.io.terminal ? [] : [plan.io.stdin.number, plan.io.stdout.number, plan.io.stderr.number])
  const kept = placeDescriptors([...own, ...plan.pass.map(fd => fd.number)], listener === undefined ? [link.fd] : [link.fd, listener])
  link.moveTo(kept[0] ?? link.fd)
  if (plan.io.terminal) controlTerminal()
  const early = sys.chdir(process.cwd)
  const env = withHome(process.env ?? [], process.user.uid)
  applyRlimits(process.rlimits ?? [])
  applyScheduling(process, plan.affinity)
  becomeUser(process.user, plan.capabilities)
  if (early < 0) check('chdir', `${process.cwd} (process.cwd)`, sys.chdir(process.cwd))
  checkDirectory(process.cwd)
  const path = findProgram(process.args?.[0] ?? '', env)
  return { listener: kept[1], path, env }
}

/** getcwd(2) knows no way from the root to a directory outside it: one that a leaked descriptor led to (CVE-2024-21626). */
function checkDirectory(wanted: string): void {
  const cwd = sys.getcwd()
  if (typeof cwd === 'string' && cwd.startsWith('/')) return
  throw new Fault(`process.cwd ${wanted} leads outside the container's root`)
}

/**
 * The last steps, in an order that depends on the filter: without no_new_privs loading it takes
 * CAP_SYS_ADMIN, so it comes before the capabilities go; with it, the filter need only allow execve.
 */
export function becomeProgram(plan: ProcessPlan, ready: ReadyProcess, link: ParentLink): never {
  const { noNewPrivileges = false, args = [] } = plan.process
  if (noNewPrivileges) check('prctl', 'PR_SET_NO_NEW_PRIVS', sys.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
  else loadFilter(plan, link)
  applyCapabilities(plan.capabilities)
  if (noNewPrivileges) loadFilter(plan, link)
  return execute(ready.path, args, ready.env)
}

function loadFilter({ seccomp }: ProcessPlan, link: ParentLink): void {
  if (!seccomp) return
  const loaded = check('seccomp', 'SECCOMP_SET_MODE_FILTER', sys.seccompSetModeFilter(seccomp.program, seccomp.flags))
  if (seccomp.asks) link.offerFilter(loaded)
}
