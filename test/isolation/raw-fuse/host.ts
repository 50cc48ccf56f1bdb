/**
 * The host's side of the raw FUSE cases, on the engine: a share and its virtio-fs daemon exactly as the shim makes them, and
 * the attacker on the VMM's end of the daemon's socket.
 *
 *   host SCRATCH ATTACKER [ARGUMENT…]      in a mount namespace of its own
 *
 * With arguments the attacker does by chance whatever comes: what it may write is then a small file system in memory.
 * SCRATCH holds `rootfs`, `writable`, `readonly` and `outside`. stdin and stdout are the attacker's; when it has left, containers
 * are made and removed where it has been, and one line of JSON says what became of them.
 */
import * as sys from 'native:sys'
import { spawn } from '../../../native/ts/child.ts'
import { within } from '../../../native/ts/clock.ts'
import { MS_PRIVATE, MS_REC } from '../../../native/ts/constants/mount.ts'
import { check } from '../../../native/ts/errno.ts'
import { story } from '../../../native/ts/fault.ts'
import { makeDirectories, readText, writeText } from '../../../native/ts/file.ts'
import { configFrom } from '../../../shim/config/config.ts'
import { Share } from '../../../shim/storage/share.ts'
import { Virtiofsd } from '../../../shim/storage/virtiofsd.ts'

const [, scratch = '', attacker = '', ...attackerArguments] = sys.argv()
const state = `${scratch}/state`
const small = attackerArguments.length > 0 ? [`${scratch}/rootfs`, `${scratch}/writable`] : []
/** Mount points that are not our own. */
const mountPoints = (): string[] => readText('/proc/self/mountinfo').split('\n').map(line => line.split(' ')[4] ?? '').filter(point => point.startsWith(`${scratch}/`) && !small.includes(point))
/** Those outside of what the shim mounts. */
const strangers = (): string[] => mountPoints().filter(point => !point.startsWith(`${state}/`))

check('mount', '/ as private', sys.mount(null, '/', null, MS_REC | MS_PRIVATE, null))
for (const directory of small) {
  check('mount', directory, sys.mount('small', directory, 'tmpfs', 0, 'size=8m,nr_inodes=4k'))
  writeText(`${directory}/file`, 'content\n')
}
makeDirectories(state, 0o700)
const share = Share.open(state)
share.addRootfs('c1', [{ type: 'bind', source: `${scratch}/rootfs`, target: '', options: ['rbind'] }])
share.addBind('c1', `${scratch}/writable`, { readonly: false, recursive: false })
share.addBind('c1', `${scratch}/readonly`, { readonly: true, recursive: false })
const flags = readText('/proc/self/mountinfo').split('\n').filter(line => line.includes(`${state}/share/.binds/`)).map(line => line.split(' ')[5] ?? '')
const daemon = new Virtiofsd({ share: configFrom([]).share, source: share.dir, stateDir: state, confined: true, cgroups: [] })
const child = spawn({ path: attacker, argv: ['raw-fuse', ...attackerArguments], env: [], stdio: [0, 1, 2], pass: [daemon.device.number] })
const { status: attackerStatus } = await child.wait()
// An attacker that finds nobody there any more sees that before the daemon is all dead.
if (attackerStatus === 3) await within(daemon.daemon.exited, 5_000, 'the end of the daemon').catch(() => undefined)
const daemonLived = daemon.daemon.exit === undefined
// What the shim's log would say.
const status = daemon.daemon.status()
await daemon.stop()

/** Where the attacker has been: a container of the name that it may have planted, a bind, and the removal of what it may have renamed. */
const attributes = ['trusted.overlay.opaque', 'trusted.overlay.redirect', 'security.selinux', 'security.ima', 'security.capability', 'user.of-the-guest']
  .filter(name => typeof sys.lgetxattr(`${scratch}/writable/file`, name, 4096) !== 'number')
const report: Record<string, unknown> = { daemonLived, status, flags, attributes, said: daemon.daemon.lastWords(4) }
try {
  share.addRootfs('next', [{ type: 'bind', source: `${scratch}/rootfs`, target: '', options: ['rbind'] }])
  share.addBind('next', `${scratch}/writable`, { readonly: true, recursive: false })
  report.strangers = strangers()
  for (const id of ['next', 'c1']) share.remove(id)
  share.close()
} catch (error) {
  report.error = story(error)
}
report.left = mountPoints()
const line = sys.utf8Encode(`${JSON.stringify(report)}\n`)
sys.write(1, line, 0, line.length)
sys.exit(0)
