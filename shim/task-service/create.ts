import * as sys from 'native:sys'
import { SIGKILL } from '../../native/ts/constants/signal.ts'
import { story } from '../../native/ts/fault.ts'
import { Owner } from '../../native/ts/owner.ts'
import type { Disk } from '../../protocol/gen/agent.ts'
import type { CreateTaskRequest, CreateTaskResponse } from '../../protocol/gen/task.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import type { AgentClient } from '../agent-client.ts'
import { type Bundle, isPauseBundle, readBundle } from '../bundle.ts'
import { isIdentifier } from '../flags.ts'
import { runHooks } from '../host-hooks.ts'
import { Process } from '../process/process.ts'
import { Refusal } from '../refusal.ts'
import { takeOomScore } from '../resources/oom-score.ts'
import { makeRoomForHugepages } from '../resources/update.ts'
import { Container, type HostProcess } from '../sandbox/container.ts'
import { Placeholder } from '../sandbox/placeholder.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import { wantsGuestDevices } from '../spec/devices.ts'
import { hostHooks } from '../spec/hooks.ts'
import { withEtc } from '../spec/etc.ts'
import { type DiskRequest, requestedDisks } from '../spec/disks.ts'
import { type PidNamespace, pidNamespaceOf } from '../spec/pid-namespace.ts'
import { guestSpec } from '../spec/rewrite.ts'
import { withPodShm } from '../spec/shm.ts'
import { withSystemd } from '../spec/systemd.ts'
import { Stdio } from '../stdio/stdio.ts'
import { isHostNode } from '../storage/disks.ts'
import { forwardStdinEnd } from './close-io.ts'
import { exitFields } from './exit-fields.ts'
import { hookState, type TaskContext } from './context.ts'

/** What the agent is told of a container beside its streams. */
interface GuestContainer {
  spec: Spec
  pid: PidNamespace
  /** Whether it is in the pod's user namespace. */
  podUsers: boolean
  /** Whether it has all devices of the guest. */
  guestDevices: boolean
  /** Block devices of the host that it has. */
  disks: DiskRequest[]
}

/**
 * Create: makes the container up to `created`.
 *
 *   bundle read ─▶ streams opened ─▶ rootfs and binds put into the share ─▶ (sandbox ready)
 *     ─▶ disks plugged in, volumes copied ─▶ createRuntime hooks ─▶ streams connected and CreateContainer, together ─▶ /tasks/create
 *
 * The host's part runs while the guest still boots. Whatever fails, all of it is released.
 *
 * Of a pod's pause container nothing goes to the guest, and its rootfs stays unmounted (pause-container.ts); the answer
 * waits for the guest all the same, so that a VM that does not boot is an error of the pod and not of its first container.
 */
export async function create(context: TaskContext, request: CreateTaskRequest): Promise<CreateTaskResponse> {
  const { sandbox } = context
  requireServable(sandbox, request)
  await using owner = new Owner()
  const bundle = readBundle(request.bundle)
  const isPause = isPauseBundle(bundle)
  const init = await openInit(context, request, owner)
  const host = hostProcess(sandbox, request.id, owner)
  const shared = owner.move()
  const container = new Container({
    id: request.id, isPause, bundle: bundle.path, host, annotations: bundle.annotations, init, hooks: hostHooks(bundle.spec.hooks), owner: shared,
  })
  sandbox.containers.set(container.id, container)
  sandbox.ports.size.add(container.id, bundle.spec.linux?.resources ?? {})
  owner.defer('container', () => {
    sandbox.containers.delete(container.id)
    sandbox.ports.size.remove(container.id)
    sandbox.ports.cpuset.remove(container.id)
    return container.release()
  })
  if (!isPause) sandbox.ports.cpuset.set(container.id, bundle.spec.linux?.resources ?? {})
  const guest = isPause ? undefined : putIntoShare(sandbox, request, bundle, shared)
  sandbox.ports.timeline.mark('rootfs')
  const agent = await sandbox.agent()
  const disks = guest ? await sandbox.disks.takeAll(guest.disks, shared) : []
  await sandbox.volumes.bring(container.id, agent)
  if (guest) await makeRoomForHugepages(sandbox, container.id, guest.spec.linux?.resources ?? {})
  await runHooks(container.hooks.create, 'createRuntime', hookState(container, 'creating'))
  // Hooks may have made the container's network (docker, nerdctl).
  await sandbox.ports.network?.refresh()
  if (!isPause && sandbox.ports.hypervisor.ownKernel) takeOomScore(sandbox.ports.hypervisor.pid, bundle.spec.process?.oomScoreAdj)
  if (guest) await createInGuest(sandbox, agent, container, { ...guest, pluggedIn: disks, terminal: request.terminal })
  owner.move()
  sandbox.ports.timeline.mark('create')
  announce(context, container, request)
  return { pid: container.pid }
}

/** The VMM for the sandbox's own container, a process of its own for every other one; `owner` owes its end. */
function hostProcess(sandbox: Sandbox, id: string, owner: Owner): HostProcess {
  if (id === sandbox.identity.id) return sandbox
  const placeholder = Placeholder.start(id, () => {
    // Killing the pid that a runtime tells kills the container: so it is with every other runtime.
    sandbox.liveAgent?.signalProcess({ containerId: id, execId: '', signal: SIGKILL, all: false })
      .catch((error: unknown) => sandbox.ports.log.warn(`the placeholder was killed: ${story(error)}`, { container: id }))
  })
  owner.defer(`placeholder of ${id}`, () => placeholder.end())
  return placeholder
}

function requireServable(sandbox: Sandbox, request: CreateTaskRequest): void {
  if (!isIdentifier(request.id)) throw new Refusal('invalid', `container id ${JSON.stringify(request.id)} is not an identifier`)
  if (sandbox.containers.has(request.id)) throw new Refusal('already-exists', `container ${request.id} already exists`)
  if (request.checkpoint !== '') throw new Refusal('unimplemented', 'restoring a container from a checkpoint is not supported by kata-ts')
}

async function openInit(context: TaskContext, request: CreateTaskRequest, owner: Owner): Promise<Process> {
  const { stdin, stdout, stderr, terminal } = request
  const stdio = await Stdio.open({ stdin, stdout, stderr, terminal }, {
    namespace: context.namespace, containerId: request.id, env: context.env, nextStreamId: context.sandbox.nextStreamId, broker: context.broker,
  })
  owner.defer('streams', () => stdio.close())
  return new Process({ containerId: request.id, execId: '' }, stdio, context.sandbox.pulse, context.sandbox.limits.outputMs)
}

/** Mounts rootfs and binds; gives the spec that the guest is sent. `owner` owes their removal. */
function putIntoShare(sandbox: Sandbox, request: CreateTaskRequest, bundle: Bundle, owner: Owner): GuestContainer {
  const { spec } = bundle
  const { share, log, hypervisor } = sandbox.ports
  // A sandbox that failed has no share any more: its own error is the one to tell.
  if (!sandbox.isUsable) throw sandbox.unavailable()
  owner.defer(`share of ${request.id}`, () => share.remove(request.id))
  owner.defer(`volumes of ${request.id}`, () => sandbox.volumes.release(request.id))
  const given = spec.root?.path ?? ''
  const hostRoot = given.startsWith('/') ? given : `${bundle.path}/${given}`
  // Without mounts the root file system is a directory that the client prepared (`ctr run --rootfs`).
  const mounts = request.rootfs.length > 0 ? request.rootfs : [{ type: 'bind', source: hostRoot, target: '', options: ['rbind'] }]
  const disks = hypervisor.ownKernel ? requestedDisks(spec.linux ?? {}, isHostNode) : []
  const pid = pidNamespaceOf(spec.linux?.namespaces ?? [], pid => sandbox.ownerOfPid(pid))
  const rewritten = guestSpec(withSystemd(spec), {
    rootPath: share.addRootfs(request.id, mounts),
    bind: (source, options) => share.addBind(request.id, source, options),
    hasMountsBelow: path => share.hasMountsBelow(path),
    sandboxSysctls: sandbox.identity.pod.sysctls,
    // Without a VM the host's memory is the container's, and inotify works.
    guestPath: (source, destination, idMappings) => hypervisor.ownKernel ? sandbox.volumes.take(request.id, source, destination, idMappings) : undefined,
    disks,
    ownKernel: hypervisor.ownKernel,
    dropped: what => log.info(`left out of the guest's spec: ${what}`, { container: request.id }),
  })
  const complete = hypervisor.ownKernel ? withPodShm(rewritten, spec.linux?.namespaces ?? [], () => sandbox.volumes.takePodShm(request.id, sandbox.identity.pod.idMappings)) : rewritten
  const podUsers = sandbox.identity.pod.idMappings !== undefined && (spec.linux?.namespaces ?? []).some(({ type }) => type === 'user')
  return { spec: withEtc(complete, Object.keys(sandbox.identity.pod.etc)), pid, podUsers, disks, guestDevices: wantsGuestDevices(spec) }
}

interface PluggedContainer extends GuestContainer {
  pluggedIn: Disk[]
  terminal: boolean
}

async function createInGuest(sandbox: Sandbox, agent: AgentClient, container: Container, { spec, pid, podUsers, guestDevices, pluggedIn, terminal }: PluggedContainer): Promise<void> {
  const { stdio } = container.init
  try {
    await Promise.all([
      stdio.connect(sandbox.dial),
      agent.createContainer({
        containerId: container.id,
        spec: sys.utf8Encode(JSON.stringify(spec)),
        guestDevices,
        disks: pluggedIn,
        stdio: { ...stdio.streams, ...container.init.size, terminal },
        podPidNamespace: pid.of === 'pod',
        podUserNamespace: podUsers,
        targetContainerId: pid.of === 'container' ? pid.id : '',
      }),
    ])
  } catch (error) {
    // The agent may have made it all the same (a stream that failed, an answer too late): nothing of it stays.
    await agent.deleteContainer({ containerId: container.id, force: true }).catch(() => undefined)
    throw error
  }
}

function announce(context: TaskContext, container: Container, request: CreateTaskRequest): void {
  const { sandbox, events } = context
  container.init.onExit(exit => {
    events.publish('exit', { containerId: container.id, id: container.id, pid: container.pid, ...exitFields(exit) })
    void container.ended().catch((error: unknown) => sandbox.ports.log.warn(story(error), { container: container.id }))
  })
  events.publish('create', {
    containerId: container.id,
    bundle: container.bundle,
    rootfs: request.rootfs,
    io: { stdin: request.stdin, stdout: request.stdout, stderr: request.stderr, terminal: request.terminal },
    checkpoint: '',
    pid: container.pid,
  })
  container.init.created()
  forwardStdinEnd(sandbox, container.init)
}
