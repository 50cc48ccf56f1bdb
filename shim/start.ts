import * as sys from 'native:sys'
import { exitText, spawn } from '../native/ts/child.ts'
import { checked, E, isErrno } from '../native/ts/errno.ts'
import { Fault } from '../native/ts/fault.ts'
import type { Fd } from '../native/ts/fd.ts'
import { exists, makeDirectories, makeDirectory, removeFile, removeTree, writeText } from '../native/ts/file.ts'
import { connectUnix, listenUnix } from '../native/ts/socket.ts'
import { bootstrapAnswer, readBootstrap } from './bootstrap.ts'
import { isSandboxBundle, readBundle, sandboxIdOf } from './bundle.ts'
import { loadConfig } from './config/config.ts'
import { enterMountNamespace, forkDaemon, raiseOomScore } from './daemon.ts'
import type { Flags } from './flags.ts'
import { forwardTo, publishWith } from './forward.ts'
import { Journal, readJournal } from './journal.ts'
import { createLog, openLogSink } from './log.ts'
import { pathOfAddress, socketPath, stateDir, stateRoot } from './paths.ts'
import { equip, type Equipment, type EquipmentPlace } from './sandbox/equipment.ts'
import { type PodDescription, podOfBundle } from './sandbox/pod.ts'
import { serve } from './serve.ts'
import { readStdin, writeStdout } from './standard-streams.ts'
import { Timeline } from './timeline.ts'

/**
 * `start`: prints the address of the sandbox's shim, starting it when there is none.
 *
 *   containerd ─exec─▶ start: flags, bundle, config ─▶ socket bound ─▶ state dir, journal, share ─▶ fork
 *                         parent: <bundle>/address written, address printed, exit
 *                         child:  /dev/null on 0–2, VMM launched, requests served
 *
 * With the Sandbox API the bundle has no config.json: then the VM waits for CreateSandbox, which says what it is to be.
 *
 * Everything that can be known to be wrong by then is told here, on stderr with status 1. What is made
 * before the fork is taken back when a later step fails. Throws Fault or SysError.
 */
export function start(flags: Flags, timeline: Timeline): void {
  const bundlePath = checked('getcwd', '', sys.getcwd())
  const bundle = isSandboxBundle(bundlePath) ? undefined : readBundle(bundlePath)
  const env = environment()
  const bootstrap = readBootstrap({
    stdin: readStdin(), namespace: flags.namespace, id: flags.id, ttrpcAddress: env.get('TTRPC_ADDRESS') ?? '', debug: flags.debug,
  })
  const sandboxId = bundle ? sandboxIdOf(bundle, flags.id) : flags.id
  const path = pathOfAddress(flags.socket) || socketPath(bootstrap.socketDir, flags.address, flags.namespace, sandboxId)
  const answer = (): void => {
    // containerd 1.6 finds the shim again after its restart by this file; later ones keep one of their own.
    writeText(`${bundlePath}/address`, `unix://${path}`)
    writeStdout(bootstrapAnswer(bootstrap.answer, path, { sandboxApi: !bundle }))
  }
  if (isServed(path)) return answer()
  if (sandboxId !== flags.id) throw new Fault(`sandbox ${sandboxId} of container ${flags.id} is not running`)
  const nodeConfig = loadConfig(bootstrap.configPath || env.get('KATA_TS_CONFIG'))
  const pod = bundle && podOfBundle(bundle)
  const state = stateDir(stateRoot, flags.namespace, sandboxId)
  endFormer(flags, state, path)
  raiseOomScore()
  const level = bootstrap.debug ? 'debug' : nodeConfig.log.level
  const logFd = openLogSink(`${bundlePath}/log`).release()
  sys.setFatalLog(logFd)
  const log = createLog({ fd: logFd, level, fields: { namespace: flags.namespace, sandbox: sandboxId } })
  const made = makeState({ sandboxId, nodeConfig, stateDir: state, log, timeline }, path, pod)
  if (forkDaemon() !== 0) return answer()
  made.journal.recordProcess(sys.getpid())
  const forward = bootstrap.ttrpcAddress ? forwardTo(bootstrap.ttrpcAddress) : publishWith(flags.publishBinary, flags.address, sys.environ())
  serve({ namespace: flags.namespace, bundlePath, socketPath: path, ...made, forward })
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
    const exit = child.waitNow()
    if (exit.status !== 0) throw new Fault(`what the former shim of sandbox ${flags.id} left could not be removed: delete ${exitText(exit)}`)
  }
  removeFile(path)
}

interface Made {
  listener: Fd
  place: EquipmentPlace
  /** Of the pod, where it is known. */
  equipment: Equipment | undefined
  journal: Journal
}

/** Makes what the daemon starts with; when a step fails, the earlier ones are undone. */
function makeState(wanted: Omit<EquipmentPlace, 'journal'>, path: string, pod: PodDescription | undefined): Made {
  const { stateDir } = wanted
  const undo: (() => void)[] = []
  try {
    makeDirectories(stateDir.slice(0, stateDir.lastIndexOf('/')), 0o711)
    makeDirectory(stateDir, 0o700)
    undo.push(() => removeTree(stateDir))
    const journal = new Journal(stateDir)
    journal.record({ kind: 'socket', path })
    makeDirectories(path.slice(0, path.lastIndexOf('/')), 0o711)
    sys.umask(0o077)
    undo.push(() => { removeFile(path) })
    const listener = listenUnix(path)
    sys.umask(0o022)
    enterMountNamespace()
    const place = { ...wanted, journal }
    return { listener, place, journal, equipment: pod && equip(pod, place) }
  } catch (error) {
    for (const step of undo.reverse()) step()
    throw error
  }
}
