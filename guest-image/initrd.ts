// What is in the guest's first root filesystem: the agent, and the mount points and device nodes it needs before it
// has mounted anything. No shell, no library, no tool: a container that breaks out finds one static program.
import type { Entry } from './cpio.ts'

const directory = (path: string, mode = 0o755): Entry => ({ type: 'directory', path, mode })

/** Character devices the agent needs before devtmpfs is mounted; numbers from Documentation/admin-guide/devices.txt. */
const DEVICES: readonly Entry[] = [
  // The kernel opens /dev/console as PID 1's stdin, stdout and stderr.
  { type: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
  { type: 'character-device', path: 'dev/null', mode: 0o666, major: 1, minor: 3 },
  { type: 'character-device', path: 'dev/kmsg', mode: 0o600, major: 1, minor: 11 },
]

const DIRECTORIES: readonly Entry[] = [
  directory('dev'),
  directory('proc', 0o555),
  directory('sys', 0o555),
  directory('run'),
  // Where the agent builds its real root: pivot_root(2) refuses the first root filesystem.
  directory('newroot'),
  directory('tmp', 0o1777),
]

/** The image's entries around the agent's bytes. Everything is owned by root; the agent is not writable. */
export function initrdEntries(agent: Uint8Array): Entry[] {
  return [...DIRECTORIES, ...DEVICES, { type: 'file', path: 'init', mode: 0o555, content: agent }]
}
