import * as sys from 'native:sys'
import { Connection } from '../../../native/ts/connection.ts'
import { type Exit, exitText, spawn } from '../../../native/ts/child.ts'
import { sleep, within } from '../../../native/ts/clock.ts'
import { AT_FDCWD, AT_REMOVEDIR } from '../../../native/ts/constants/fcntl.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { pipe } from '../../../native/ts/fd.ts'
import { exists, readText, readTextIfPresent, removeTree } from '../../../native/ts/file.ts'
import { connectUnix } from '../../../native/ts/socket.ts'
import { TaskDefinition } from '../../../protocol/gen/task.ts'
import { connect, createClient } from '../../../protocol/ttrpc/client.ts'
import { findProgram } from '../../hypervisor/daemon.ts'
import { pathOfAddress, stateDir, stateRoot } from '../../paths.ts'
import { type AttestPlace, writeBundle } from './bundle.ts'
import type { Probe } from './probe.ts'
import { type ProcessView, sandboxProcesses, viewProcess } from './process-view.ts'

/** A namespace of containerd's that nobody uses: the sandbox is apart from all others. */
const namespace = 'kata-ts-attest'
const shimName = 'containerd-shim-kata-ts-v2'
/** An emulated guest on a loaded host boots in tens of seconds. */
const bootLimitMs = 120_000
const probeLimitMs = 60_000
const answerLimitMs = 10_000
/** The shim's own end comes after its last answer. */
const endLimitMs = 5_000
const endPollMs = 20

export interface Attested {
  probe: Probe
  processes: { role: 'vmm' | 'virtiofsd' | 'vsock'; view: ProcessView }[]
  /** The VMM's arguments. */
  commandLine: string
  /** Files that the probe made on the host, below the shared directory. */
  planted: { readonly: boolean; writable: boolean }
}

/**
 * Runs the probe in a sandbox of the node's own shim, as containerd would, and looks at the shim's processes meanwhile:
 *
 *   bundle ─▶ shim start ─▶ Create (the VM runs) ─▶ processes looked at ─▶ Start, Wait ─▶ Delete, Shutdown ─▶ shim delete
 *
 * `left`: what is still there afterwards. Rejects with a Fault or SysError when the sandbox does not work; nothing is left then, either.
 */
export async function attestSandbox(): Promise<{ attested: Attested; left: string[] }> {
  const id = `attest-${sys.getpid()}`
  const top = `${stateRoot}/${id}`
  const place: AttestPlace = { id, bundle: `${top}/bundle`, rootfs: `${top}/rootfs`, shared: `${top}/shared`, output: `${top}/output` }
  const seen: number[] = []
  try {
    writeBundle(place)
    const attested = await inSandbox(place, seen)
    await shim(place, ['-bundle', place.bundle, 'delete'])
    const state = stateDir(stateRoot, namespace, id)
    for (let waitedMs = 0; waitedMs < endLimitMs && seen.some(runs); waitedMs += endPollMs) await sleep(endPollMs)
    const left = [...(exists(state) ? [state] : []), ...seen.filter(runs).map(pid => `process ${pid}`)]
    return { attested, left }
  } catch (error) {
    await shim(place, ['-bundle', place.bundle, 'delete']).catch(() => {})
    throw error
  } finally {
    removeTree(top)
    // Another attestation may run.
    sys.unlinkat(AT_FDCWD, `${stateRoot}/${namespace}`, AT_REMOVEDIR)
  }
}

/** A dead process that its parent, whoever that is for a shim, has not reaped yet is gone. */
function runs(pid: number): boolean {
  const stat = readTextIfPresent(`/proc/${pid}/stat`, 4096)
  return stat !== undefined && !/\) [ZX] /.test(stat)
}

async function inSandbox(place: AttestPlace, seen: number[]): Promise<Attested> {
  const { id, bundle, rootfs, output } = place
  const address = await shim(place, ['start'])
  using connection = new Connection(connectUnix(pathOfAddress(address.trim())))
  const task = createClient(TaskDefinition, connect(connection))
  const key = { id, execId: '' }
  await task.create({ id, bundle, rootfs: [{ type: 'bind', source: rootfs, target: '', options: ['rbind', 'rw'] }], stdout: `file://${output}`, stderr: `file://${output}.err` }, { timeoutMs: bootLimitMs })
  const { shimPid } = await task.connect({ id }, { timeoutMs: answerLimitMs })
  const processes = sandboxProcesses(shimPid).map(({ pid, role }) => ({ role, view: viewProcess(pid, shimPid) }))
  seen.push(shimPid, ...processes.map(({ view }) => view.pid))
  const vmm = processes.find(({ role }) => role === 'vmm')?.view.pid
  const commandLine = vmm === undefined ? '' : readText(`/proc/${vmm}/cmdline`, 64 * 1024).replaceAll('\0', ' ')
  await task.start(key, { timeoutMs: answerLimitMs })
  const { exitStatus } = await task.wait(key, { timeoutMs: probeLimitMs })
  await task.delete(key, { timeoutMs: answerLimitMs })
  const said = readText(output, 1024 * 1024)
  if (exitStatus !== 0) throw new Fault(`the probe in the container ended with status ${exitStatus}: ${said.slice(0, 200)} ${readText(`${output}.err`, 4096).slice(0, 200)}`)
  await task.shutdown({ id }, { timeoutMs: answerLimitMs }).catch(() => {}) // it ends, and its connection may with it
  const planted = { readonly: exists(`${place.shared}/ro/planted`), writable: exists(`${place.shared}/rw/planted`) }
  return { probe: JSON.parse(said) as Probe, processes, commandLine, planted } // our own program's, and only shown
}

/** Runs the shim's program in the bundle; gives what it prints. Rejects with a Fault that has its error. */
async function shim({ id, bundle }: AttestPlace, words: readonly string[]): Promise<string> {
  const program = findProgram({ name: shimName, key: 'PATH' })
  const { reader, writer } = pipe(`output of ${shimName}`)
  using output = reader
  using theirs = writer
  // Nobody listens to its events.
  const publish = ['/bin/true', '/usr/bin/true'].find(exists) ?? '/proc/self/exe'
  const argv = [program, '-namespace', namespace, '-id', id, '-address', '', '-publish-binary', publish, ...words]
  const child = spawn({ path: program, argv, env: sys.environ(), stdio: ['null', theirs.number, theirs.number], cwd: bundle })
  theirs.close()
  const exit: Exit = await within(child.wait(), bootLimitMs, `${shimName} ${words.at(-1) ?? ''}`)
  const buffer = new Uint8Array(64 * 1024)
  const got = Math.max(0, sys.read(output.number, buffer, 0, buffer.length))
  const text = sys.utf8Decode(buffer, 0, got)
  if (exit.status !== 0) throw new Fault(`${shimName} ${words.at(-1) ?? ''} ${exitText(exit)}: ${text.trim()}`)
  return text
}
