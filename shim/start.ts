import * as sys from 'native:sys'
import { exitText, exitOf, spawn } from '../native/ts/child.ts'
import { P_PIDFD, WEXITED } from '../native/ts/constants/wait.ts'
import { checked, E, isErrno } from '../native/ts/errno.ts'
import { Fault } from '../native/ts/fault.ts'
import type { Fd } from '../native/ts/fd.ts'
import { exists, makeDirectories, makeDirectory, removeFile, removeTree, writeText } from '../native/ts/file.ts'
import { connectUnix, listenUnix } from '../native/ts/socket.ts'
import { bootstrapAnswer, readBootstrap } from './bootstrap.ts'
import { type Bundle, isPauseBundle, readBundle, sandboxIdOf } from './bundle.ts'
import { loadConfig } from './config/config.ts'
import { enterMountNamespace, forkDaemon, raiseOomScore } from './daemon.ts'
import type { Flags } from './flags.ts'
import { forwardTo, publishWith } from './forward.ts'
import { createHypervisor } from './hypervisor/create.ts'
import type { Hypervisor } from './hypervisor/hypervisor.ts'
import { Journal, readJournal } from './journal.ts'
import { createLog, openLogSink } from './log.ts'
import { Netns } from './network/netns.ts'
import { Network } from './network/network.ts'
import { pathOfAddress, socketPath, stateDir, stateRoot } from './paths.ts'
import { hostCgroupPath } from './resources/cgroup-path.ts'
import { HostCgroup } from './resources/host-cgroup.ts'
import { limitsOf } from './resources/limits.ts'
import { sandboxConfig } from './resources/sandbox-config.ts'
import { serve } from './serve.ts'
import { refuseHostNamespaces } from './spec/namespaces.ts'
import { sandboxSysctls } from './spec/sysctl.ts'
import { readStdin, writeStdout } from './standard-streams.ts'
import { Share } from './storage/share.ts'
import { Timeline } from './timeline.ts'

/**
 * `start`: prints the address of the sandbox's shim, starting it when there is none.
 *
 *   containerd ─exec─▶ start: flags, bundle, config ─▶ socket bound ─▶ state dir, journal, share ─▶ fork
 *                         parent: <bundle>/address written, address printed, exit
 *                         child:  /dev/null on 0–2, VMM launched, requests served
 *
 * Everything that can be known to be wrong by then is told here, on stderr with status 1. What is made
 * before the fork is taken back when a later step fails. Throws Fault or SysError.
 */
export function start(flags: Flags, timeline: Timeline): void {
  const bundle = readBundle(checked('getcwd', '', sys.getcwd()))
  const env = environment()
  const bootstrap = readBootstrap({
    stdin: readStdin(), namespace: flags.namespace, id: flags.id, ttrpcAddress: env.get('TTRPC_ADDRESS') ?? '', debug: flags.debug,
  })
  const sandboxId = sandboxIdOf(bundle, flags.id)
  const path = pathOfAddress(flags.socket) || socketPath(bootstrap.socketDir, flags.address, flags.namespace, sandboxId)
  const answer = (): void => {
    // containerd 1.6 finds the shim again after its restart by this file; later ones keep one of their own.
    writeText(`${bundle.path}/address`, `unix://${path}`)
    writeStdout(bootstrapAnswer(bootstrap.answer, path))
  }
  if (isServed(path)) return answer()
  if (sandboxId !== flags.id) throw new Fault(`sandbox ${sandboxId} of container ${flags.id} is not running`)
  refuseHostNamespaces(bundle.spec.linux?.namespaces ?? [])
  const limits = limitsOf(bundle.spec)
  const { config, notes } = sandboxConfig(loadConfig(bootstrap.configPath || env.get('KATA_TS_CONFIG')), bundle.annotations, limits)
  const withGuest = config.hypervisor.type !== 'none'
  const netns = withGuest ? openNetns(bundle) : undefined
  const state = stateDir(stateRoot, flags.namespace, sandboxId)
  endFormer(flags, state, path)
  raiseOomScore()
  const level = bootstrap.debug ? 'debug' : config.log.level
  const logFd = openLogSink(`${bundle.path}/log`).release()
  sys.setFatalLog(logFd)
  const log = createLog({ fd: logFd, level, fields: { namespace: flags.namespace, sandbox: sandboxId } })
  for (const note of notes) log.warn(note)
  const sysctls = withGuest ? sandboxSysctls(bundle.spec.linux?.sysctl ?? {}, { isPause: isPauseBundle(bundle) }) : {}
  // Without a VM the agent puts each container into a group of its own.
  const cgroup = withGuest ? new HostCgroup(hostCgroupPath(bundle.spec.linux?.cgroupsPath, `/kata-ts/${sandboxId}`)) : undefined
  const made = makeState({ state, path, withGuest, cgroup }, made => createHypervisor(config, { id: sandboxId, stateDir: state, shareDir: made.share.dir, journal: made.journal, log, timeline }))
  if (forkDaemon() !== 0) return answer()
  made.journal.recordProcess(sys.getpid())
  const forward = bootstrap.ttrpcAddress ? forwardTo(bootstrap.ttrpcAddress) : publishWith(flags.publishBinary, flags.address, sys.environ())
  const network = netns && new Network(netns, made.journal, log)
  serve({ namespace: flags.namespace, sandboxId, hostname: bundle.spec.hostname ?? '', sysctls, config, limits, stateDir: state, bundlePath: bundle.path, socketPath: path, ...made, network, forward, log, timeline })
}

/** The pod's network namespace, where the bundle names one; opened here, so that a wrong one is told before anything is made. */
function openNetns(bundle: Bundle): Netns | undefined {
  const path = bundle.spec.linux?.namespaces?.find(namespace => namespace.type === 'network')?.path
  return path ? Netns.open(path) : undefined
}

function environment(): Map<string, string> {
  return new Map(sys.environ().map(entry => {
    const at = entry.indexOf('=')
    return [entry.slice(0, at), entry.slice(at + 1)]
  }))
}

/** Whether a shim answers at `path`. */
function isServed(path: string): boolean {
  try {
    connectUnix(path).close()
    return true
  } catch (error) {
    if (isErrno(error, E.ENOENT, E.ECONNREFUSED)) return false
    throw error
  }
}

/**
 * Ends what a former shim of this sandbox left: it was killed, and containerd has not called `delete` yet.
 * Done by this program's own `delete`, in a process of its own: it waits, and here nothing may be
 * pending when the daemon is forked.
 */
function endFormer(flags: Flags, state: string, path: string): void {
  if (exists(state)) {
    const other = readJournal(state).find(resource => resource.kind === 'socket')
    if (other?.kind === 'socket' && other.path !== path) {
      throw new Fault(`sandbox ${flags.id} in namespace ${flags.namespace} belongs to another containerd of this host`, { fix: `its shim's socket is ${other.path}` })
    }
    const self = '/proc/self/exe'
    using child = spawn({
      path: self, argv: [self, '-namespace', flags.namespace, '-id', flags.id, '-address', flags.address, 'delete'],
      env: sys.environ(), stdio: ['null', 'null', 'null'],
    })
    const seen = checked('waitid', 'delete', sys.waitid(P_PIDFD, child.pidfd.number, WEXITED) ?? -E.ECHILD)
    const exit = exitOf(seen)
    if (exit.status !== 0) throw new Fault(`what the former shim of sandbox ${flags.id} left could not be removed: delete ${exitText(exit)}`)
  }
  removeFile(path)
}

interface Made {
  listener: Fd
  journal: Journal
  share: Share
  cgroup: HostCgroup | undefined
  hypervisor: Hypervisor
}

interface Wanted {
  state: string
  /** Of the socket. */
  path: string
  withGuest: boolean
  cgroup: HostCgroup | undefined
}

/** Makes what the daemon starts with; when a step fails, the earlier ones are undone. */
function makeState({ state, path, withGuest, cgroup }: Wanted, hypervisor: (made: Omit<Made, 'hypervisor'>) => Hypervisor): Made {
  const undo: (() => void)[] = []
  try {
    makeDirectories(state.slice(0, state.lastIndexOf('/')), 0o711)
    makeDirectory(state, 0o700)
    undo.push(() => removeTree(state))
    const journal = new Journal(state)
    journal.record({ kind: 'socket', path })
    makeDirectories(path.slice(0, path.lastIndexOf('/')), 0o711)
    sys.umask(0o077)
    undo.push(() => { removeFile(path) })
    const listener = listenUnix(path)
    sys.umask(0o022)
    undo.push(() => cgroup?.leaveNow())
    // Before anything is started: what this process forks is born in it.
    cgroup?.enter(journal)
    enterMountNamespace()
    const share = Share.open(state, { withGuest })
    undo.push(() => share.close())
    const made = { listener, journal, share, cgroup }
    return { ...made, hypervisor: hypervisor(made) }
  } catch (error) {
    for (const step of undo.reverse()) step()
    throw error
  }
}
