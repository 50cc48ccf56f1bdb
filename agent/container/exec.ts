import * as sys from 'native:sys'
import { check } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import type { Fd } from '../../native/ts/fd.ts'
import type { Owner } from '../../native/ts/owner.ts'
import { cpusOf } from '../../protocol/oci/cpu-list.ts'
import type { Process } from '../../protocol/oci/process.ts'
import { enterBelow } from './cgroup/enter-below.ts'
import type { Container } from './container.ts'
import { hasAppArmor } from './init/apparmor.ts'
import { planCapabilities } from './init/capabilities.ts'
import { runChild } from './init/child.ts'
import { InitLink, ParentLink, socketPair } from './init/dialogue.ts'
import { type ExecPlan, runExec } from './init/exec-sequence.ts'
import { cloneProcess } from './namespaces/clone.ts'
import { namespaceTypes } from './namespaces/types.ts'
import { ownPipes } from './namespaces/own-io.ts'
import { closeIo, type ProcessIo } from './options.ts'
import { owning } from './owning.ts'
import type { ContainerProcess } from './process.ts'
import { refuseLabels } from './refuse.ts'
import type { CompiledFilter } from './seccomp/filter.ts'
import { filterHolder } from './filter-holder.ts'

export interface ExecOptions {
  /** Descriptors, taken over, that the process finds under 3, 4, … */
  pass?: Fd[]
  /** Also in a paused container, where the process waits with the others. */
  evenPaused?: boolean
  /** Cgroups below the container's to move it into (enterBelow). */
  cgroups?: readonly string[]
}

/** Runs one more process in the container; see Container.exec. */
export async function execProcess(container: Container, process: Process, io: ProcessIo, options: ExecOptions = {}): Promise<ContainerProcess> {
  try {
    return await owning(owner => exec(container, process, io, options, owner))
  } finally {
    closeIo(io)
    for (const fd of options.pass ?? []) fd.close()
  }
}

async function exec(container: Container, process: Process, io: ProcessIo, options: ExecOptions, owner: Owner): Promise<ContainerProcess> {
  const status = container.status()
  if (status === 'stopped' || (status === 'paused' && !options.evenPaused)) throw new Fault(`container ${container.id} cannot run a process: it is ${status}`)
  refuseLabels(process)
  const plan = planExec(container, process, io, options, await container.filter())
  ownPipes(io, process.user, container.spec.linux ?? {})
  const ends = socketPair()
  using initEnd = ends.init
  const link = owner.own('exec dialogue', new InitLink(ends.parent))
  // An affinity that it has before it is in the cgroup can be had only outside of it; of a cgroup below, it is a member later.
  const { initial } = affinityOf(container, process)
  const below = options.cgroups ?? []
  using cgroupFd = initial || below.length > 0 ? undefined : container.cgroup.openForClone(container.init.pid)
  using cgroupTasks = below.length > 0 ? undefined : container.cgroup.openTasks()
  // Born in its cgroup, or on its own way into it, the process has nothing to wait for.
  const early = cgroupFd !== undefined || (cgroupTasks !== undefined && !initial)
  if (early) link.tell({ type: 'go' })
  const child = cloneProcess({
    what: `process of ${container.id}`,
    flags: 0,
    // A pidfd stands for the namespaces of its process: no path in /proc, no reused pid.
    bornIn: container.namespaces().has('pid') ? container.init.pidfd.number : undefined,
    userNamespace: needsUserNamespaceFirst(container) ? container.init.pidfd.number : undefined,
    cgroupFd: cgroupFd?.number,
    child: () => {
      const parent = new ParentLink(initEnd.number)
      return runChild(parent, () => runExec({ ...plan, cgroupTasks }, parent))
    },
  })
  owner.defer(`process of ${container.id}`, () => child.destroy())
  initEnd.close()
  if (!early) {
    if (initial) check('sched_setaffinity', `CPUs ${initial.join(',')}`, sys.schedSetaffinity(child.pid, initial))
    if (!cgroupTasks) await container.cgroup.enter(child.pid, container.init.pid)
    enterBelow(container.cgroup.directories, below, child.pid)
    link.tell({ type: 'go' })
  }
  if (io.terminal) child.giveTerminal(await link.expect('terminal'))
  await link.expectEnd(filterHolder(container, child, status))
  link.close()
  return child
}

/** Who is not root of the host has rights over the container's other namespaces only inside of its user namespace, which owns them. */
function needsUserNamespaceFirst(container: Container): boolean {
  return container.namespaces().has('user') && sys.geteuid() !== 0
}

/** The process's own, else the container's (config.md#linux-process, execCPUAffinity). */
function affinityOf({ spec }: Container, process: Process): { initial: number[] | undefined; final: number[] | undefined } {
  const { initial, final } = process.execCPUAffinity ?? spec.process?.execCPUAffinity ?? {}
  return { initial: cpusOf(initial), final: cpusOf(final) }
}

function planExec(container: Container, process: Process, io: ProcessIo, options: ExecOptions, seccomp: CompiledFilter | undefined): ExecPlan {
  const { spec, init } = container
  const types = container.namespaces()
  return {
    id: container.id, process, io, pass: options.pass ?? [],
    capabilities: planCapabilities(process.capabilities, container.warn, types.has('user')),
    seccomp,
    profile: process.apparmorProfile && hasAppArmor() ? process.apparmorProfile : undefined,
    affinity: affinityOf(container, process).final,
    mapped: types.has('user'),
    initPidfd: init.pidfd.number,
    // To enter the user namespace that one is in already is an error (setns(2)).
    namespaceFlags: [...types].filter(type => type !== 'user' || !needsUserNamespaceFirst(container)).reduce((flags, type) => flags | namespaceTypes[type].flag, 0),
    personality: spec.linux?.personality,
    rootPath: types.has('mount') ? undefined : `/proc/${init.pid}/root`,
  }
}
