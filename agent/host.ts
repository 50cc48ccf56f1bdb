/**
 * The agent on the host, without a VM (hypervisor `none`): the same service, for containers that are only namespaces.
 *
 *   kata-ts-agent --control-fd N --streams-path PATH
 *
 * N: a connected unix socket, inherited. PATH: where the agent listens for stream connections.
 */
import * as sys from 'native:sys'
import { F_GETFL, F_SETFL, O_NONBLOCK } from '../native/ts/constants/fcntl.ts'
import { check } from '../native/ts/errno.ts'
import { Fault } from '../native/ts/fault.ts'
import { Fd } from '../native/ts/fd.ts'
import { removeFile } from '../native/ts/file.ts'
import { listenUnix } from '../native/ts/socket.ts'
import { Events } from './events.ts'
import { Log } from './log.ts'
import { Reaper } from './pid1/reaper.ts'
import { QuietGc } from './quiet-gc.ts'
import { destroySandbox } from './rpc/sandbox.ts'
import { Sandbox } from './sandbox/sandbox.ts'
import { serve } from './serve.ts'
import { Streams } from './streams/streams.ts'

/** include/uapi/linux/prctl.h */
const PR_SET_CHILD_SUBREAPER = 36

/** Serves until the connection ends, then kills what still runs and ends the process. */
export async function runHost(argv: readonly string[]): Promise<never> {
  const { controlFd, streamsPath } = parseArguments(argv)
  check('prctl', 'PR_SET_CHILD_SUBREAPER', sys.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
  const control = new Fd(controlFd, 'control connection')
  check('fcntl', control.what, sys.fcntl(controlFd, F_SETFL, check('fcntl', control.what, sys.fcntl(controlFd, F_GETFL, 0)) | O_NONBLOCK))
  const log = new Log()
  const events = new Events()
  log.setSink(events.line)
  const reaper = new Reaper(new QuietGc(log).touch)
  const sandbox = new Sandbox({
    log, events,
    reaper,
    // The socket's directory is the shim's, mode 0700: whoever can connect is the shim.
    streams: new Streams(listenUnix(streamsPath), () => true, log),
    // The host's clock, name, randomness and sysctls are not a sandbox's to set.
    prepareMachine: () => {},
    enterUserNamespace: () => Promise.reject(new Fault('a pod without a VM has no user namespace of its own')),
    prepareNetwork: () => Promise.resolve(),
    releaseMachine: () => {},
    prepareContainers: () => Promise.resolve(),
    withDevices: spec => Promise.resolve(spec),
    cgroupPath: containerId => `/kata-ts/${containerId}`,
    pod: undefined,
    end: () => {},
  })
  await serve(control, sandbox)
  // No VM ends with the connection: what still runs is killed here.
  await destroySandbox(sandbox)
  reaper.reap()
  removeFile(streamsPath)
  return sys.exit(0)
}

/** Throws Fault for anything but the two options. */
export function parseArguments(argv: readonly string[]): { controlFd: number; streamsPath: string } {
  const [, fdFlag, fd = '', pathFlag, streamsPath = '', ...more] = argv
  if (fdFlag !== '--control-fd' || !/^\d{1,6}$/.test(fd) || pathFlag !== '--streams-path' || !streamsPath.startsWith('/') || more.length > 0) {
    throw new Fault(`usage: ${argv[0] ?? 'kata-ts-agent'} --control-fd N --streams-path /PATH`, { fix: 'in a guest the agent is PID 1 and takes no arguments' })
  }
  return { controlFd: Number(fd), streamsPath }
}
