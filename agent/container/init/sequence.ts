import * as sys from 'native:sys'
import { MOUNT_ATTR_RDONLY, MS_PRIVATE, MS_SLAVE } from '../../../native/ts/constants/mount.ts'
import { CLONE_NEWNET } from '../../../native/ts/constants/sched.ts'
import { check } from '../../../native/ts/errno.ts'
import type { Fd } from '../../../native/ts/fd.ts'
import { hookState } from '../hooks/state.ts'
import { runHooksInInit } from '../hooks/run.ts'
import { enterNamespaces, raiseLoopback } from '../namespaces/enter.ts'
import { mountCgroup } from '../rootfs/cgroup-mount.ts'
import { makeDevices, makeDevLinks, ownsDev, plannedDevices } from '../rootfs/devices.ts'
import { setAttributes, setPropagation } from '../rootfs/mount-calls.ts'
import { rootPropagation } from '../rootfs/mount-options.ts'
import { idMapDescriptors } from '../rootfs/id-maps.ts'
import { chrootInto } from '../rootfs/inherited-root.ts'
import { type HostPaths, openHostPaths } from '../rootfs/host-paths.ts'
import { mountInRoot } from '../rootfs/mounts.ts'
import { makeReadonly, mask } from '../rootfs/protected-paths.ts'
import { moveInto, pivotInto, prepareRoot } from '../rootfs/pivot.ts'
import { Root } from '../rootfs/root.ts'
import { writeSysctls } from '../rootfs/sysctl.ts'
import { chooseProfile, openProfile } from './apparmor.ts'
import { closeAllBut } from './descriptors.ts'
import type { ParentLink } from './dialogue.ts'
import { awaitStart } from './gate.ts'
import { applyOomScore, applyPersonality } from './limits.ts'
import type { InitPlan } from './plan.ts'
import { bindConsole, openTerminal } from './terminal.ts'
import { becomeMappedRoot, becomeProgram, hideFromPeers, joinSession, prepareProcess } from './process-steps.ts'

/**
 * The container's first process, from clone3(2) to execve(2): runs synchronously and never comes back.
 * It throws what fails; its caller tells the parent and ends the process.
 *
 * The order is the runtime spec's lifecycle (runtime.md#lifecycle, steps in brackets) and, within it, what
 * the kernel asks for; each step says why it cannot be elsewhere.
 */
export function runInit(plan: InitPlan, link: ParentLink): never {
  const { spec, process } = plan
  const linux = spec.linux ?? {}
  const hooks = spec.hooks ?? {}
  const state = (status: 'creating' | 'created') => hookState(plan, status, sys.getpid())

  // 1. Nothing of other containers is held, nobody inside may look at us, and nothing happens before the parent wrote
  //    the id maps and we are in the cgroup: a cgroup namespace is rooted where its maker is.
  closeAllBut(heldDescriptors(plan, link))
  // A parent that is not root may not open what belongs to a hidden process, and so not write its maps.
  if (!plan.parentIsUser) hideFromPeers()
  link.expect('go')
  if (plan.parentIsUser) hideFromPeers()
  plan.cgroupTasks?.enter()

  // 2. The namespaces that clone3 could not make. [3]
  enterNamespaces(plan.namespaces, linux.timeOffsets)
  const early = plan.mapped ? openHostPaths(plan.rootPath, plan.mounts) : undefined
  if (plan.mapped) becomeMappedRoot()
  joinSession(plan.keepKeyring ? undefined : plan.id)

  // 3. What is written below /proc is written now, while /proc is the runtime's and not the container's.
  if (!plan.mapped) applyOomScore(process)
  using profile = plan.profile ? openProfile() : undefined
  if (plan.namespaces.cloneFlags & CLONE_NEWNET) raiseLoopback()
  if (spec.hostname) check('sethostname', spec.hostname, sys.sethostname(spec.hostname))
  if (spec.domainname) check('setdomainname', spec.domainname, sys.setdomainname(spec.domainname))
  writeSysctls(linux.sysctl ?? {})

  // 4. The root file system, its mounts in the spec's order, then the devices, which may lie on them.
  sys.umask(0)
  const propagation = rootPropagation(linux.rootfsPropagation)
  const ownMounts = plan.namespaces.separate.has('mount')
  using rootMount = prepareRoot(plan.rootPath, ownMounts ? propagation ?? { flag: MS_SLAVE, recursive: true } : undefined, early?.root)
  const root = new Root(rootMount.number, plan.rootPath)
  fillRoot(root, plan, early?.sources)

  // 5. prestart and createRuntime hooks are the parent's: namespaces and mounts are there, the old root still is. [3, 4]
  if (plan.parentHooks) {
    link.tell({ type: 'mounted' })
    link.expect('hooks-done')
  }
  // 6. createContainer: in the container's namespaces, its program still found in the runtime's root. [5]
  runHooksInInit('createContainer', hooks.createContainer ?? [], state('creating'))

  // 7. The terminal, of the devpts that step 4 mounted; before the pivot, as /dev/console is a mount.
  const terminal = plan.io.terminal ? openTerminal(root, plan.io.size ?? process.consoleSize) : undefined
  if (terminal) {
    bindConsole(root, terminal)
    link.tell({ type: 'terminal' }, [terminal.master.number])
    terminal.master.close()
  }

  // 8. Covers come after all that may mount or write below them; a working directory must exist before the root is read-only.
  root.directory(process.cwd).close()
  makeReadonly(root, linux.readonlyPaths ?? [])
  mask(root, linux.maskedPaths ?? [])
  if (spec.root?.readonly) setAttributes(rootMount, { set: MOUNT_ATTR_RDONLY, clear: 0 }, false)

  // 9. From here on only the container's own file system is in sight.
  leaveHostRoot(rootMount, ownMounts, plan.noPivot)
  setPropagation(rootMount, propagation ?? { flag: MS_PRIVATE, recursive: false })

  // 10. The process itself, up to the point where only the start is missing. Whatever can fail fails here, in create.
  applyPersonality(linux.personality)
  if (profile) chooseProfile(profile, plan.profile ?? '')
  const stdio = terminal ? [terminal.slave.number, terminal.slave.number, terminal.slave.number] : undefined
  const ready = prepareProcess(plan, link, stdio, plan.startListener?.number)
  link.tell({ type: 'created' })

  // 11. Created; now the user's start. [6–8] startContainer hooks run as the process will, in its root. [9]
  awaitStart(link, ready.listener)
  runHooksInInit('startContainer', hooks.startContainer ?? [], state('created'))
  return becomeProgram(plan, ready, link)
}

function fillRoot(root: Root, plan: InitPlan, sources: HostPaths['sources'] | undefined): void {
  for (const mount of plan.mounts) {
    if (mount.kind === 'filesystem' && mount.type.startsWith('cgroup')) mountCgroup(root, mount, plan.cgroupMounts, plan.namespaces.separate.has('cgroup'))
    else mountInRoot(root, mount, sources?.get(mount))
  }
  if (ownsDev(plan.spec.mounts ?? [])) {
    makeDevices(root, plannedDevices(plan.spec.linux?.devices ?? []), plan.mapped)
    makeDevLinks(root)
  }
}

function leaveHostRoot(root: Fd, ownMounts: boolean, noPivot: InitPlan['noPivot']): void {
  if (!ownMounts) chrootInto(root)
  else if (noPivot) moveInto(root)
  else pivotInto(root)
}

function heldDescriptors(plan: InitPlan, link: ParentLink): number[] {
  const { cgroupTasks, io, mounts, namespaces, pass, startListener } = plan
  return [
    link.fd,
    ...(io.terminal ? [] : [io.stdin.number, io.stdout.number, io.stderr.number]),
    ...pass.map(fd => fd.number),
    ...(cgroupTasks?.descriptors ?? []),
    ...namespaces.joined.map(({ fd }) => fd.number),
    ...idMapDescriptors(mounts),
    ...(startListener ? [startListener.number] : []),
  ]
}
