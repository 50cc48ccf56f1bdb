import * as sys from 'native:sys'
import { sleep } from '../native/ts/clock.ts'
import { Connection } from '../native/ts/connection.ts'
import { SIGINT, SIGTERM } from '../native/ts/constants/signal.ts'
import { story } from '../native/ts/fault.ts'
import type { Fd } from '../native/ts/fd.ts'
import { exists, removeFile, removeTree } from '../native/ts/file.ts'
import { Signals } from '../native/ts/signals.ts'
import { accept } from '../native/ts/socket.ts'
import { Server } from '../protocol/ttrpc/server.ts'
import { AgentClient } from './agent-client.ts'
import { agentBacklogBytesMax, agentLimits } from './agent-limits.ts'
import { EventPublisher, type Forward } from './events.ts'
import { shareTag } from './hypervisor/hypervisor.ts'
import type { Log } from './log.ts'
import type { HostCgroup } from './resources/host-cgroup.ts'
import { HostCpuset } from './resources/host-cpuset.ts'
import { PodSize } from './resources/pod-size.ts'
import { registerSandboxService } from './sandbox-service/service.ts'
import { OnlySandbox } from './sandbox/only-sandbox.ts'
import { equip, type Equipment, type EquipmentPlace } from './sandbox/equipment.ts'
import { Sandbox } from './sandbox/sandbox.ts'
import { StreamBroker } from './streaming/broker.ts'
import { registerStreamingService } from './streaming/service.ts'
import { registerTaskService, toRpcError } from './task-service/service.ts'

export interface ServeOptions {
  namespace: string
  place: EquipmentPlace
  /** undefined: CreateSandbox is going to tell what the sandbox is to be. */
  equipment: Equipment | undefined
  bundlePath: string
  /** Ownership taken. */
  listener: Fd
  socketPath: string
  forward: Forward
}

/** A container's worth of requests takes about 2 MiB of heap; at this the shim fails a request instead of the node. With the rest of the process it is below 64 MiB. */
const heapLimitBytes = 48 * 1024 * 1024
/** For an endless loop. Far beyond what a mount(2) on storage that hangs for a while may take: that must not cost the pod. */
const watchdogMs = 120_000
/** sysexits.h EX_SOFTWARE */
const exitSoftware = 70
/** A shim that nobody needs costs a VM's memory: looked for soon after the start, when it happens, and once a minute later. */
const firstOrphanCheckMs = 1_000
const orphanCheckMs = 60_000
/** How long the last answer and the last events may take to leave. */
const lastWordsMs = 1_000

/** The daemon: starts the sandbox at once where it is known, and serves containerd until that is to end. */
export function serve(options: ServeOptions): void {
  const { log, sandboxId } = options.place
  sys.setMemoryLimit(heapLimitBytes)
  sys.setWatchdog(watchdogMs)
  sys.onUnhandledRejection(reason => {
    // Whatever state this left us in: containerd's `delete` cleans up after a shim that is gone.
    log.error(`unhandled rejection: ${story(reason)}`, { stack: reason instanceof Error ? reason.stack : undefined })
    sys.exit(exitSoftware)
  })
  const events = new EventPublisher(options.namespace, options.forward, log)
  const only = new OnlySandbox({
    id: sandboxId,
    make: pod => startSandbox(options, options.equipment ?? equip(pod, options.place), events),
    release: () => releaseState(options, undefined),
  })
  if (options.equipment) only.create(options.equipment.pod)
  const connections = new Set<Connection>()
  const leave = async (): Promise<void> => {
    await events.flush(lastWordsMs)
    for (let waitedMs = 0; waitedMs < lastWordsMs && [...connections].some(each => each.queuedBytes > 0); waitedMs += 5) await sleep(5)
    sys.exit(0)
  }
  const stop = (): Promise<void> => only.stop()
  const exit = (): void => void sleep(1).then(leave)
  const server = new Server({ toRpcError })
  const broker = new StreamBroker()
  registerStreamingService(server, broker)
  registerTaskService(server, {
    get sandbox() { return only.sandbox },
    get made() { return only.made },
    events, broker, namespace: options.namespace, env: sys.environ(), stop, exit,
  })
  registerSandboxService(server, { only, log, exit })
  const signals = new Signals([SIGTERM, SIGINT])
  signals.onSignal(() => void stop().then(leave))
  void watchForOrphan(only, options.bundlePath, log).then(leave)
  void acceptAll(options.listener, log, connection => {
    connections.add(connection)
    void server.serve(connection).closed.then(() => connections.delete(connection))
  })
}

function startSandbox(options: ServeOptions, equipment: Equipment, events: EventPublisher): Sandbox {
  const { sandboxId, log, timeline } = options.place
  const { config, pod, share, hypervisor, network, cgroup } = equipment
  const limits = agentLimits(config.agent)
  return new Sandbox({
    id: sandboxId, namespace: options.namespace, pod, shareTag, logLevel: config.log.level, agentTimeoutMs: config.agent.timeoutMs, agentLimits: limits,
  }, {
    hypervisor, share, network, events, log, timeline, size: new PodSize(pod.limits, config.hypervisor),
    cpuset: new HostCpuset(cpuset => cgroup?.bind(cpuset)),
    agent: control => new AgentClient(new Connection(control, agentBacklogBytesMax), limits),
    releaseState: () => releaseState(options, cgroup),
  })
}

/** The last thing of a sandbox on the host. */
async function releaseState({ place: { journal, stateDir }, socketPath }: ServeOptions, cgroup: HostCgroup | undefined): Promise<void> {
  await cgroup?.leave()
  journal.close()
  removeFile(socketPath)
  removeTree(stateDir)
}

/**
 * Resolves when containerd has forgotten this shim: it removed the bundle, and there is no container. That
 * happens when it refuses a container between `start` and Create (2.1 does, for a spec that it cannot parse), or when
 * `start` was killed after its fork.
 */
async function watchForOrphan(only: OnlySandbox, bundlePath: string, log: Log): Promise<void> {
  let waitMs = firstOrphanCheckMs
  do {
    await sleep(waitMs)
    waitMs = Math.min(2 * waitMs, orphanCheckMs)
  } while ((only.made?.containers.size ?? 0) > 0 || exists(bundlePath))
  log.warn('the bundle is gone and there is no container: shutting down')
  await only.stop()
}

/** Takes every connection; one that fails to be taken (no descriptors left) is tried again a little later. */
async function acceptAll(listener: Fd, log: Log, serveOne: (connection: Connection) => void): Promise<void> {
  for (;;) {
    try {
      serveOne(new Connection(await accept(listener)))
    } catch (error) {
      log.error(`accept: ${story(error)}`)
      await sleep(100)
    }
  }
}
