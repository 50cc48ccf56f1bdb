import * as sys from 'native:sys'
import { O_DIRECTORY, O_PATH } from '../../../native/ts/constants/fcntl.ts'
import { check } from '../../../native/ts/errno.ts'
import { open } from '../../../native/ts/fd.ts'
import { chrootInto } from '../rootfs/inherited-root.ts'
import { Root } from '../rootfs/root.ts'
import { chooseProfile, openProfile } from './apparmor.ts'
import { closeAllBut } from './descriptors.ts'
import type { ParentLink } from './dialogue.ts'
import { applyOomScore, applyPersonality } from './limits.ts'
import type { LinuxPersonality } from '../../../protocol/oci/linux.ts'
import type { ProcessPlan } from './plan.ts'
import { becomeMappedRoot, becomeProgram, hideFromPeers, joinSession, prepareProcess } from './process-steps.ts'
import { openTerminal } from './terminal.ts'

export interface ExecPlan extends ProcessPlan {
  id: string
  /** Borrowed: the container's init, whose namespaces are joined. */
  initPidfd: number
  /** CLONE_NEW* of the namespaces that differ from the runtime's. */
  namespaceFlags: number
  personality: LinuxPersonality | undefined
  /** Of a container without a mount namespace: the way to init's root in /proc. */
  rootPath: string | undefined
}

/**
 * One more process of a running container, from clone3(2) to execve(2): synchronous, never comes back, throws
 * what fails. It was born in the container's pid namespace and, with cgroup v2, in its cgroup.
 */
export function runExec(plan: ExecPlan, link: ParentLink): never {
  const { process, io } = plan
  closeAllBut([link.fd, plan.initPidfd, ...(io.terminal ? [] : [io.stdin.number, io.stdout.number, io.stderr.number]), ...plan.pass.map(fd => fd.number), ...(plan.cgroupTasks?.descriptors ?? [])])
  hideFromPeers()
  link.expect('go')
  plan.cgroupTasks?.enter()

  // While /proc is the runtime's own: the workload could have put anything over the container's.
  applyOomScore(process)
  using profile = plan.profile ? openProfile() : undefined

  // All namespaces at once (setns(2) on a pidfd): no moment in which we are in half of them, and no path that a process
  // of the container could have changed. The root becomes the container's with its mount namespace, or is looked up first.
  using root = plan.rootPath === undefined ? undefined : open(plan.rootPath, O_PATH | O_DIRECTORY)
  if (plan.namespaceFlags !== 0) check('setns', `namespaces of container ${plan.id}`, sys.setns(plan.initPidfd, plan.namespaceFlags))
  if (root) chrootInto(root)
  sys.close(plan.initPidfd)
  if (plan.mapped) becomeMappedRoot()
  joinSession(plan.id)

  using top = open('/', O_PATH | O_DIRECTORY)
  const terminal = io.terminal ? openTerminal(new Root(top.number, '/'), io.size ?? process.consoleSize) : undefined
  if (terminal) {
    link.tell({ type: 'terminal' }, [terminal.master.number])
    terminal.master.close()
  }
  applyPersonality(plan.personality)
  if (profile) chooseProfile(profile, plan.profile ?? '')
  const ready = prepareProcess(plan, link, terminal && [terminal.slave.number, terminal.slave.number, terminal.slave.number], undefined)
  return becomeProgram(plan, ready, link)
}
