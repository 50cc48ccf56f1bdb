import * as sys from 'native:sys'
import { rlimitNumbers } from '../../native/ts/constants/resource.ts'
import { CLONE_NEWUSER } from '../../native/ts/constants/sched.ts'
import { Fault } from '../../native/ts/fault.ts'
import type { Fd } from '../../native/ts/fd.ts'
import type { Owner } from '../../native/ts/owner.ts'
import { writeIdMaps } from '../../native/ts/user-namespace.ts'
import type { Cgroup } from './cgroup/cgroup.ts'
import { withDefaultDevices } from './cgroup/device-rules.ts'
import { openCgroup } from './cgroup/open.ts'
import { cgroupOwner } from './cgroup/ownership.ts'
import { Container } from './container.ts'
import { hookState } from './hooks/state.ts'
import { runHooks } from './hooks/run.ts'
import { hasAppArmor } from './init/apparmor.ts'
import { planCapabilities } from './init/capabilities.ts'
import { runChild } from './init/child.ts'
import { InitLink, ParentLink, socketPair } from './init/dialogue.ts'
import { listenForStart } from './init/gate.ts'
import { giveOomScore } from './init/limits.ts'
import type { InitPlan } from './init/plan.ts'
import { runInit } from './init/sequence.ts'
import { cloneProcess } from './namespaces/clone.ts'
import { ownPipes } from './namespaces/own-io.ts'
import { closePlan, planNamespaces } from './namespaces/plan.ts'
import { closeIo, type CreateOptions } from './options.ts'
import { owning } from './owning.ts'
import type { ContainerProcess } from './process.ts'
import { refuseUnsupported, tellIgnored } from './refuse.ts'
import { closeIdMaps, openIdMaps } from './rootfs/id-maps.ts'
import { mountOf, unmountRoot } from './rootfs/inherited-root.ts'
import { planMount } from './rootfs/mount-options.ts'
import { checkSysctls } from './rootfs/sysctl.ts'
import { type CompiledFilter, filterOf } from './seccomp/filter.ts'
import { requireListener } from './seccomp/listener.ts'

/**
 * Creates a container: everything but the user's program (runtime.md#create). Takes ownership of the
 * descriptors in `options`. Rejects with SysError or Fault, and then nothing is left of it.
 */
export async function createContainer(options: CreateOptions): Promise<Container> {
  try {
    return await owning(owner => create(options, owner))
  } finally {
    // The container has its own copies of them by now, or never will.
    closeIo(options.io)
    for (const fd of options.pass ?? []) fd.close()
  }
}

async function create(options: CreateOptions, owner: Owner): Promise<Container> {
  const warn = options.warn ?? (() => undefined)
  refuseUnsupported(options.spec)
  tellIgnored(options.spec, warn)
  const cgroup = options.cgroup ?? openCgroup(options.spec.linux?.cgroupsPath || options.cgroupPath, options.cgroupOptional)
  const seccomp = await filterOf(options.spec, warn)
  if (seccomp?.asks) requireListener(options.spec.linux?.seccomp?.listenerPath ?? '')
  const plan = planInit(options, cgroup, seccomp, warn)
  try {
    ownPipes(options.io, plan.process.user, options.spec.linux ?? {})
    cgroup.create()
    owner.defer(`cgroup of ${options.id}`, () => cgroup.delete())
    await giveRealtime(options.spec, cgroup)
    const cgroupUser = cgroupOwner(options.spec, plan.mounts)
    if (cgroupUser !== undefined) cgroup.giveTo(cgroupUser)
    const rootMount = plan.namespaces.separate.has('mount') ? undefined : { path: plan.rootPath, before: mountOf(plan.rootPath) }
    if (rootMount) owner.defer(`root of ${options.id}`, () => unmountRoot(rootMount.path, rootMount.before))
    const listener = options.startSocket === undefined ? undefined : owner.own('start socket', listenForStart(options.startSocket))
    const { devices: rules = [], ...limits } = options.spec.linux?.resources ?? {}
    const devices = withDefaultDevices(rules)
    // Version 1 takes device rules one by one, the one that denies all first: init makes its devices when all are there.
    await cgroup.apply(cgroup.bornOfEntering ? { ...limits, devices } : { devices })
    const { process, link } = await cloneInit({ ...plan, startListener: listener }, cgroup, owner)
    // Limits are for the program, not for init: they are set while it works.
    if (!cgroup.bornOfEntering) await cgroup.apply(limits)
    const terminal = await converse(plan, process, link)
    listener?.close()
    if (listener) link.close()
    process.giveTerminal(terminal)
    return new Container({ id: options.id, bundle: options.bundle, spec: options.spec, init: process, cgroup, seccomp, rootMount, warn, ...(options.startSocket === undefined ? { link } : { startSocket: options.startSocket }) })
  } finally {
    closePlan(plan.namespaces)
    closeIdMaps(plan.mounts)
  }
}

/** Time under a real-time policy, which a cgroup v1 has none of by default: init could be refused its scheduler before the other limits are set. */
async function giveRealtime({ process, linux }: CreateOptions['spec'], cgroup: Cgroup): Promise<void> {
  const { realtimePeriod, realtimeRuntime } = linux?.resources?.cpu ?? {}
  if (process?.scheduler && realtimeRuntime) await cgroup.apply({ cpu: { ...(realtimePeriod ? { realtimePeriod } : {}), realtimeRuntime } })
}

function planInit(options: CreateOptions, cgroup: Cgroup, seccomp: CompiledFilter | undefined, warn: (message: string) => void): InitPlan {
  const { spec, id, bundle } = options
  const { process, root } = spec
  if (!process) throw new Fault('config.json has no process', { fix: 'say what to run in process.args' })
  if (!root) throw new Fault('config.json has no root', { fix: 'say where the root file system is in root.path' })
  for (const { type } of process.rlimits ?? []) if (rlimitNumbers[type] === undefined) throw new Fault(`process.rlimits has the unknown type ${type}`)
  const linux = spec.linux ?? {}
  const shared = {
    id, bundle, spec, process, io: options.io, pass: options.pass ?? [],
    rootPath: root.path.startsWith('/') ? root.path : `${bundle}/${root.path}`,
    mounts: (spec.mounts ?? []).map(mount => planMount(mount, bundle)),
    cgroupMounts: cgroup.mountSources(),
    capabilities: planCapabilities(process.capabilities, warn, (linux.namespaces ?? []).some(({ type }) => type === 'user')),
    seccomp,
    profile: process.apparmorProfile && hasAppArmor() ? process.apparmorProfile : undefined,
    startListener: undefined,
    parentIsUser: sys.geteuid() !== 0,
    noPivot: options.noPivot ?? false, keepKeyring: options.keepKeyring ?? false,
    parentHooks: Boolean(spec.hooks?.prestart?.length || spec.hooks?.createRuntime?.length),
    annotations: spec.annotations ?? {},
  }
  const namespaces = planNamespaces(linux.namespaces ?? [], options.namespaces)
  try {
    if (!options.inheritMounts && !namespaces.separate.has('mount')) throw new Fault('linux.namespaces has no mount namespace', { fix: 'add { "type": "mount" }' })
    checkSysctls(linux.sysctl ?? {}, namespaces.separate)
    openIdMaps(shared.mounts, linux, namespaces)
  } catch (error) {
    closePlan(namespaces)
    closeIdMaps(shared.mounts)
    throw error
  }
  return { ...shared, namespaces, mapped: namespaces.separate.has('user') }
}

/** Clones init, with its dialogue; both are the owner's until the container has them. */
async function cloneInit(plan: InitPlan, cgroup: Cgroup, owner: Owner): Promise<{ process: ContainerProcess; link: InitLink }> {
  const ends = socketPair()
  using initEnd = ends.init
  const link = owner.own('init dialogue', new InitLink(ends.parent))
  using cgroupFd = cgroup.openForClone()
  using cgroupTasks = cgroup.openTasks()
  // Without ids to be mapped, or a cgroup that begins with it, init has nothing to wait for: it finds the word when it looks.
  const early = !makesUserNamespace(plan) && !cgroup.bornOfEntering
  if (early) link.tell({ type: 'go' })
  const process = cloneProcess({
    what: `init of ${plan.id}`,
    flags: plan.namespaces.cloneFlags,
    bornIn: plan.namespaces.bornIn?.fd.number,
    userNamespace: plan.namespaces.user?.fd.number,
    cgroupFd: cgroupFd?.number,
    child: () => {
      const parent = new ParentLink(initEnd.number)
      return runChild(parent, () => runInit({ ...plan, cgroupTasks }, parent))
    },
  })
  owner.defer(`init of ${plan.id}`, () => process.destroy())
  if (plan.mapped) giveOomScore(process.pid, plan.process)
  if (cgroup.bornOfEntering) await cgroup.enter(process.pid)
  if (early) return { process, link }
  if (makesUserNamespace(plan)) writeIdMaps(process.pid, { uids: plan.spec.linux?.uidMappings ?? [], gids: plan.spec.linux?.gidMappings ?? [] })
  link.tell({ type: 'go' })
  return { process, link }
}

function makesUserNamespace({ namespaces }: InitPlan): boolean {
  return (namespaces.cloneFlags & CLONE_NEWUSER) !== 0
}

/** The parent's side of the dialogue from `go` up to `created` (init/dialogue.ts); gives the terminal. */
async function converse(plan: InitPlan, process: ContainerProcess, link: InitLink): Promise<Fd | undefined> {
  const { spec } = plan
  if (plan.parentHooks) {
    await link.expect('mounted')
    const state = hookState(plan, 'creating', process.pid)
    await runHooks('prestart', spec.hooks?.prestart ?? [], state)
    await runHooks('createRuntime', spec.hooks?.createRuntime ?? [], state)
    link.tell({ type: 'hooks-done' })
  }
  const terminal = plan.io.terminal ? await link.expect('terminal') : undefined
  try {
    await link.expect('created')
    return terminal
  } catch (error) {
    terminal?.close()
    throw error
  }
}

