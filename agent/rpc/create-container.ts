import * as sys from 'native:sys'
import { SIGKILL } from '../../native/ts/constants/signal.ts'
import { Fault } from '../../native/ts/fault.ts'
import type { CreateContainerRequest, CreateContainerResponse, Stdio as StdioRequest } from '../../protocol/gen/agent.ts'
import { parseSpec } from '../../protocol/oci/parse.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import { Container } from '../container/container.ts'
import { requireIdentifier } from '../identifier.ts'
import { invalid } from '../refusal.ts'
import { SandboxContainer } from '../sandbox/container.ts'
import { withGuestDisks } from '../sandbox/disk.ts'
import { reserveHugepages } from '../sandbox/hugepages.ts'
import { PodPidNamespace } from '../sandbox/pid-namespace.ts'
import { type ProcessNames, SandboxProcess } from '../sandbox/process.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import { Stdio } from '../streams/stdio.ts'

/** What a request without stdio means: /dev/null on all three. */
const noStdio: StdioRequest = { stdinStream: 0n, stdoutStream: 0n, stderrStream: 0n, terminal: false, width: 0, height: 0 }

/** CreateContainer: up to `created`. On failure nothing of the container is left, and its id is free again. */
export async function createContainer(sandbox: Sandbox, request: CreateContainerRequest): Promise<Partial<CreateContainerResponse>> {
  const { containerId: id } = request
  requireIdentifier('container', id)
  sandbox.requireRoomFor(id)
  const parsed = withTerminal(parseSpec(sys.utf8Decode(request.spec, 0, request.spec.length)), request.stdio)
  const limited = withPidsLimit(parsed, sandbox.parts.pod?.defaultPids)
  const init = openProcess(sandbox, { containerId: id, execId: '' }, request.stdio)
  using _held = init.hold()
  const spec = async (): Promise<Spec> => {
    // The disks first: they still have the host's numbers, and the guest's devices have not.
    const numbered = await withGuestDisks(limited, request.disks)
    sandbox.sources.take(id, numbered)
    return request.guestDevices ? sandbox.parts.withDevices(numbered) : numbered
  }
  const plan = { id, spec, pidNamespace: pidNamespacePath(sandbox, request), userNamespace: userNamespacePath(sandbox, request) }
  const made = make(sandbox, plan, init)
  const known = new SandboxContainer(id, init, made.then(() => {}, () => {}))
  sandbox.add(known)
  try {
    const container = await made
    known.ready(container, container.onOom(() => sandbox.parts.events.outOfMemory({ containerId: id })))
    return { pid: container.init.pid }
  } catch (cause) {
    sandbox.sources.release(id)
    sandbox.remove(id)
    init.close()
    throw cause
  }
}

/** A process with its streams reserved, not yet running. */
export function openProcess(sandbox: Sandbox, names: ProcessNames, stdio: StdioRequest | undefined): SandboxProcess {
  const { streams, events } = sandbox.parts
  const what = names.execId === '' ? names.containerId : `${names.containerId}/${names.execId}`
  return new SandboxProcess(names, Stdio.open(what, stdio ?? noStdio, { streams, events }), events)
}

/** What a container is made of, beside its stdio. */
interface Plan {
  id: string
  /** Waits for the disks that it names. */
  spec: () => Promise<Spec>
  /** To join; undefined: its own. */
  pidNamespace: string | undefined
  /** To join; undefined: its own, if the spec has one. */
  userNamespace: string | undefined
}

/** The PID namespace that the request names. Throws Refusal for a container that has no process. */
function pidNamespacePath(sandbox: Sandbox, { podPidNamespace, targetContainerId }: CreateContainerRequest): string | undefined {
  if (targetContainerId !== '') return `/proc/${sandbox.container(targetContainerId).init.process.pid}/ns/pid`
  if (!podPidNamespace) return undefined
  sandbox.pidNamespace ??= new PodPidNamespace(sandbox.userNamespace?.path)
  return sandbox.pidNamespace.path()
}

/** The user namespace that the request names. Throws Refusal where the pod has none. */
function userNamespacePath(sandbox: Sandbox, { podUserNamespace }: CreateContainerRequest): string | undefined {
  if (!podUserNamespace) return undefined
  if (!sandbox.userNamespace) throw invalid('the container is to be in the user namespace of the pod, which has none')
  return sandbox.userNamespace.path
}

/** Huge pages of a new container, beside those of the others. */
function setHugepagesAside(sandbox: Sandbox, spec: Spec): void {
  const { pod } = sandbox.parts
  const own = spec.linux?.resources ?? {}
  if (!pod || !own.hugepageLimits?.some(({ limit }) => limit > 0)) return
  const others = sandbox.containers.flatMap(({ state }) => state.is === 'ready' ? [state.container.spec.linux?.resources ?? {}] : [])
  if (reserveHugepages([own, ...others])) pod.refresh()
}

function make(sandbox: Sandbox, { id, spec: given, pidNamespace, userNamespace }: Plan, init: SandboxProcess): Promise<Container> {
  const { reaper, log, cgroupPath } = sandbox.parts
  return reaper.birth(async () => {
    const container = await create()
    // In a PID namespace of others, what it started outlives it: no other process may.
    const ended = pidNamespace === undefined ? undefined : () => container.cgroup.killAll(SIGKILL)
    init.run(container.init, reaper, ended)
    return container
  })

  async function create(): Promise<Container> {
    try {
      const spec = await given()
      setHugepagesAside(sandbox, spec)
      return await Container.create({
        id, spec, bundle: '/', io: init.stdio.takeIo(), cgroupPath: cgroupPath(id),
        namespaces: { ...(pidNamespace !== undefined && { pid: pidNamespace }), ...(userNamespace !== undefined && { user: userNamespace }) },
        warn: message => log.warn(message, { container: id }),
      })
    } catch (cause) {
      throw new Fault(`create container ${id}`, { cause })
    }
  }
}

/** An explicit limit, `-1` for none as well, is the user's own. */
function withPidsLimit(spec: Spec, limit: number | undefined): Spec {
  if (limit === undefined || (spec.linux?.resources?.pids?.limit ?? 0) !== 0) return spec
  return { ...spec, linux: { ...spec.linux, resources: { ...spec.linux?.resources, pids: { limit } } } }
}

/** The request's stdio decides about the terminal; a spec that says otherwise is a mistake of the shim's. */
function withTerminal(spec: Spec, stdio: StdioRequest | undefined): Spec {
  const terminal = stdio?.terminal ?? false
  if (!spec.process) throw invalid('config.json has no process')
  return (spec.process.terminal ?? false) === terminal ? spec : { ...spec, process: { ...spec.process, terminal } }
}
