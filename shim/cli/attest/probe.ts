import * as sys from 'native:sys'
import { AT_FDCWD, O_RDWR, W_OK } from '../../../native/ts/constants/fcntl.ts'
import { AF_VSOCK, SOCK_STREAM } from '../../../native/ts/constants/socket.ts'
import { E, errnoName } from '../../../native/ts/errno.ts'
import { readTextIfPresent } from '../../../native/ts/file.ts'
import type { Context } from '../context.ts'

/** What the probe, as the only program of a container, found there. */
export interface Probe {
  bootId: string
  kernel: string
  /** Names below /dev, with block devices apart. */
  devices: string[]
  blockDevices: string[]
  /** `/proc/kcore` …: paths that should be masked, and are not. */
  unmasked: string[]
  /** Paths that should be read-only, and are not. */
  writable: string[]
  /** `cid 2 port 1024: ECONNRESET`: each try to reach the agent or the host by vsock. */
  vsock: { to: string; answer: string }[]
  /** The guest's console: what opening it gave. */
  console: string
  commandLine: string
}

/** Where the container has the same directory of the host, read-only and read-write. */
export const readonlyAt = '/readonly'
export const writableAt = '/writable'
/** Written by the probe into both, as far as it may. */
export const plantedName = 'planted'

const masked = ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/timer_list', '/proc/sched_debug', '/sys/firmware', '/proc/scsi']
const readonlyPaths = ['/proc/sys', '/proc/sysrq-trigger', '/proc/irq', '/proc/bus', '/sys', '/sys/fs/cgroup']
/** The serial line, and the kernel's console, as nodes made by whoever may make nodes (Documentation/admin-guide/devices.txt). */
const consoles = [[4, 64], [5, 1]] as const

/** `attest-probe`: what `attest` runs in its container. Prints one line of JSON. */
export async function probe(_args: readonly string[], { print }: Context): Promise<number> {
  const nodes = entries('/dev')
  const found: Probe = {
    bootId: text('/proc/sys/kernel/random/boot_id'),
    kernel: text('/proc/sys/kernel/osrelease'),
    devices: nodes.map(({ name }) => name).sort(),
    // DT_BLK (dirent.h)
    blockDevices: nodes.filter(({ type }) => type === 6).map(({ name }) => name),
    unmasked: masked.filter(hasContent),
    writable: [...readonlyPaths.filter(path => sys.faccessat(AT_FDCWD, path, W_OK, 0) === 0), ...(plant(readonlyAt) ? [readonlyAt] : [])],
    vsock: [[2, 1024], [2, 1], [1, 1024], [1, 1025], [3, 1024], [3, 1025]].map(([cid = 0, port = 0]) => ({ to: `cid ${cid} port ${port}`, answer: dial(cid, port) })),
    console: openConsole(),
    commandLine: text('/proc/cmdline'),
  }
  plant(writableAt)
  print(JSON.stringify(found))
  return 0
}

function text(path: string): string {
  return (readTextIfPresent(path, 64 * 1024) ?? '').trim()
}

function entries(path: string): { name: string; type: number }[] {
  const found = sys.readdir(AT_FDCWD, path)
  return typeof found === 'number' ? [] : found
}

/** A masked file is /dev/null, a masked directory an empty one. */
function hasContent(path: string): boolean {
  const file = sys.openat(AT_FDCWD, path, 0, 0)
  if (file < 0) return false
  const got = sys.read(file, new Uint8Array(16), 0, 16)
  sys.close(file)
  return got === -E.EISDIR ? entries(path).length > 0 : got > 0
}

function plant(directory: string): boolean {
  return sys.writeFile(AT_FDCWD, `${directory}/${plantedName}`, 'planted', 0o1101, 0o600) >= 0
}

/** The name of the errno, `CONNECTED`, or why there is no socket to try. */
function dial(cid: number, port: number): string {
  const socket = sys.socket(AF_VSOCK, SOCK_STREAM, 0)
  if (socket < 0) return errnoName(-socket)
  const result = sys.connectVsock(socket, cid, port)
  sys.close(socket)
  return result < 0 ? errnoName(-result) : 'CONNECTED'
}

function openConsole(): string {
  const path = '/dev/attest-console'
  const answers = consoles.map(([major, minor]) => {
    const made = sys.mknodat(AT_FDCWD, path, 0o020600, major, minor)
    if (made < 0) return `mknod ${errnoName(-made)}`
    const console = sys.openat(AT_FDCWD, path, O_RDWR, 0)
    sys.unlinkat(AT_FDCWD, path, 0)
    if (console >= 0) sys.close(console)
    return console < 0 ? `open ${errnoName(-console)}` : 'OPENED'
  })
  return answers.find(answer => answer === 'OPENED') ?? answers[0] ?? ''
}
