import { exists } from '../../native/ts/file.ts'
import type { NamespaceType } from '../../protocol/oci/linux.ts'
import type { Process } from '../../protocol/oci/process.ts'
import type { LinuxResources } from '../../protocol/oci/resources.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import type { Cgroup, ContainerStats } from './cgroup/cgroup.ts'
import { adoptContainer, type ContainerRecord } from './adopt.ts'
import { createContainer } from './create.ts'
import { deleteContainer } from './delete.ts'
import { type ExecOptions, execProcess } from './exec.ts'
import type { InitLink } from './init/dialogue.ts'
import { connectToStart } from './init/gate.ts'
import { killContainer } from './kill.ts'
import { differingNamespaces } from './namespaces/differing.ts'
import type { CreateOptions, ProcessIo } from './options.ts'
import { pauseContainer } from './pause.ts'
import type { ContainerProcess } from './process.ts'
import { resumeContainer } from './resume.ts'
import { type CompiledFilter, filterOf } from './seccomp/filter.ts'
import { startContainer } from './start.ts'
import { type Status, statusOf } from './state.ts'
import { updateContainer } from './update.ts'

/** The root of a container without a mount namespace: see rootfs/inherited-root.ts. */
export interface RootMount {
  path: string
  before: number
}

/** What a container is made of, whether it was created here or found again. */
export interface ContainerParts {
  id: string
  bundle: string
  spec: Spec
  /** Owned. */
  init: ContainerProcess
  cgroup: Cgroup
  /** The compiled filter, where it is known already. */
  seccomp?: CompiledFilter | undefined
  /** The root's path, and the mount that was there before, when the container has no mount namespace of its own. */
  rootMount?: RootMount | undefined
  /** Owned: init's dialogue while it waits for its start; absent when the start goes another way or was given. */
  link?: InitLink
  /** The socket on which init waits for its start, when another process than the creator is to give it. */
  startSocket?: string
  warn: (message: string) => void
}

/** A container, from `created` until it is deleted. Each verb has its file; this is the table of them. */
export class Container {
  readonly id: string
  readonly bundle: string
  readonly spec: Spec
  readonly init: ContainerProcess
  readonly cgroup: Cgroup
  readonly rootMount: RootMount | undefined
  readonly warn: (message: string) => void
  #filter: Promise<CompiledFilter | undefined> | undefined
  #namespaces: ReadonlySet<NamespaceType> | undefined
  #link: InitLink | undefined
  readonly #startSocket: string | undefined

  /** Takes ownership of `init` and `link`. */
  constructor(parts: ContainerParts) {
    this.id = parts.id
    this.bundle = parts.bundle
    this.spec = parts.spec
    this.init = parts.init
    this.cgroup = parts.cgroup
    this.rootMount = parts.rootMount
    this.warn = parts.warn
    if ('seccomp' in parts) this.#filter = Promise.resolve(parts.seccomp)
    this.#link = parts.link
    this.#startSocket = parts.startSocket
  }

  /** Resolves at `created`: see createContainer. */
  static create(options: CreateOptions): Promise<Container> {
    return createContainer(options)
  }

  /** A container that another process created; see adoptContainer. */
  static adopt(record: ContainerRecord): Container {
    return adoptContainer(record)
  }

  /** The filter of its processes, compiled once. */
  filter(): Promise<CompiledFilter | undefined> {
    this.#filter ??= filterOf(this.spec, this.warn)
    return this.#filter
  }

  /** The namespaces in which it is apart from this process. They never change. */
  namespaces(): ReadonlySet<NamespaceType> {
    this.#namespaces ??= differingNamespaces(this.init.pid)
    return this.#namespaces
  }

  /** Init's dialogue, given away; undefined when the container was started. */
  takeLink(): InitLink | undefined {
    const link = this.#link ?? (this.#startSocket === undefined ? undefined : connectToStart(this.#startSocket))
    this.#link = undefined
    return link
  }

  /** Gives up the dialogue with an init that was never started. */
  closeLink(): void {
    this.#link?.close()
    this.#link = undefined
  }

  /** The socket's file is removed when someone has asked for the start. */
  get waitsForStart(): boolean {
    return this.#link !== undefined || (this.#startSocket !== undefined && exists(this.#startSocket))
  }

  /** Resolves when the user's program runs; rejects when it cannot be run, and init has then ended. */
  start(): Promise<void> {
    return startContainer(this)
  }

  /** One more process in the running container; resolves when its program runs. Takes ownership of the descriptors in `io`. */
  exec(process: Process, io: ProcessIo, options: ExecOptions = {}): Promise<ContainerProcess> {
    return execProcess(this, process, io, options)
  }

  /** Sends a signal to init, or with `all` to every process. False when there is none. */
  kill(signal: number, all = false): boolean {
    return killContainer(this, signal, all)
  }

  pause(): Promise<void> {
    return pauseContainer(this)
  }

  resume(): Promise<void> {
    return resumeContainer(this)
  }

  /** Changes limits; what is absent stays. */
  update(resources: LinuxResources): Promise<void> {
    return updateContainer(this, resources)
  }

  stats(): ContainerStats {
    return this.cgroup.stats()
  }

  /** Processes of the container, as this process numbers them. */
  pids(): number[] {
    return this.cgroup.pids()
  }

  /** Calls `onOom` after each OOM kill; gives the end of the watch. */
  onOom(onOom: () => void): () => void {
    return this.cgroup.watchOom(onOom)
  }

  status(): Status {
    return statusOf(this)
  }

  /** Removes a stopped container, or with `force` any: see deleteContainer. */
  delete(force = false): Promise<void> {
    return deleteContainer(this, force)
  }
}
