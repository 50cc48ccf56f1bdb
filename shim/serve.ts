import * as sys from 'native:sys'
import { sleep } from '../native/ts/clock.ts'
import { Connection } from '../native/ts/connection.ts'
import { SIGINT, SIGTERM } from '../native/ts/constants/signal.ts'
import { story } from '../native/ts/fault.ts'
import type { Fd } from '../native/ts/fd.ts'
import { exists, removeFile, removeTree } from '../native/ts/file.ts'
import { Signals } from '../native/ts/signals.ts'
import { accept } from '../native/ts/socket.ts'
import { AgentClient } from './agent-client.ts'
import type { Config } from './config/schema.ts'
import { EventPublisher, type Forward } from './events.ts'
import { type Hypervisor, shareTag } from './hypervisor/hypervisor.ts'
import type { Journal } from './journal.ts'
import type { Log } from './log.ts'
import type { HostCgroup } from './resources/host-cgroup.ts'
import type { Network } from './network/network.ts'
import type { PodLimits } from './resources/limits.ts'
import { PodSize } from './resources/pod-size.ts'
import { Sandbox } from './sandbox/sandbox.ts'
import type { Share } from './storage/share.ts'
import { taskServer } from './task-service/service.ts'
import type { Timeline } from './timeline.ts'

export interface ServeOptions {
  namespace: string
  sandboxId: string
  hostname: string
  sysctls: Record<string, string>
  config: Config
  /** Of the sandbox, as it was asked for. */
  limits: PodLimits
  stateDir: string
  bundlePath: string
  /** Ownership taken. */
  listener: Fd
  socketPath: string
  share: Share
  /** This process is in it. */
  cgroup: HostCgroup | undefined
  network: Network | undefined
  /** Not launched yet. */
  hypervisor: Hypervisor
  journal: Journal
  forward: Forward
  log: Log
  timeline: Timeline
}

/** A container's worth of requests takes about 2 MiB of heap; at this the shim fails a request instead of the node. */
const heapLimitBytes = 64 * 1024 * 1024
/** For an endless loop. Far beyond what a mount(2) on storage that hangs for a while may take: that must not cost the pod. */
const watchdogMs = 120_000
/** sysexits.h EX_SOFTWARE */
const exitSoftware = 70
/** A shim that nobody needs costs a VM's memory: looked for soon after the start, when it happens, and once a minute later. */
const firstOrphanCheckMs = 1_000
const orphanCheckMs = 60_000
/** How long the last answer and the last events may take to leave. */
const lastWordsMs = 1_000

/** The daemon: starts the sandbox at once, and serves containerd until the last task is shut down. */
export function serve(options: ServeOptions): void {
  const { log } = options
  sys.setMemoryLimit(heapLimitBytes)
  sys.setWatchdog(watchdogMs)
  sys.onUnhandledRejection(reason => {
    // Whatever state this left us in: containerd's `delete` cleans up after a shim that is gone.
    log.error(`unhandled rejection: ${story(reason)}`, { stack: reason instanceof Error ? reason.stack : undefined })
    sys.exit(exitSoftware)
  })
  const events = new EventPublisher(options.namespace, options.forward, log)
  const sandbox = startSandbox(options, events)
  const connections = new Set<Connection>()
  const leave = async (): Promise<void> => {
    await events.flush(lastWordsMs)
    for (let waitedMs = 0; waitedMs < lastWordsMs && [...connections].some(each => each.queuedBytes > 0); waitedMs += 5) await sleep(5)
    sys.exit(0)
  }
  const context = { sandbox, events, namespace: options.namespace, env: sys.environ(), exit: () => void sleep(1).then(leave) }
  const server = taskServer(context)
  const signals = new Signals([SIGTERM, SIGINT])
  signals.onSignal(() => void sandbox.stop().then(leave))
  void watchForOrphan(sandbox, options.bundlePath, log).then(leave)
  void acceptAll(options.listener, log, connection => {
    connections.add(connection)
    void server.serve(connection).closed.then(() => connections.delete(connection))
  })
}

function startSandbox(options: ServeOptions, events: EventPublisher): Sandbox {
  const { config, stateDir, hypervisor, share, network, journal, log, timeline } = options
  return new Sandbox({
    id: options.sandboxId, namespace: options.namespace, hostname: options.hostname, sysctls: options.sysctls, shareTag, logLevel: config.log.level, agentTimeoutMs: config.agent.timeoutMs,
  }, {
    hypervisor, share, network, events, log, timeline, size: new PodSize(options.limits, config.hypervisor),
    agent: control => new AgentClient(new Connection(control)),
    releaseState: async () => {
      await options.cgroup?.leave()
      journal.close()
      removeFile(options.socketPath)
      removeTree(stateDir)
    },
  })
}

/**
 * Resolves when containerd has forgotten this shim: it removed the bundle, and there is no container. That
 * happens when it refuses a container between `start` and Create (2.1 does, for a spec that it cannot parse), or when
 * `start` was killed after its fork.
 */
async function watchForOrphan(sandbox: Sandbox, bundlePath: string, log: Log): Promise<void> {
  let waitMs = firstOrphanCheckMs
  do {
    await sleep(waitMs)
    waitMs = Math.min(2 * waitMs, orphanCheckMs)
  } while (sandbox.containers.size > 0 || exists(bundlePath))
  log.warn('the bundle is gone and there is no container: shutting down')
  await sandbox.stop()
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
