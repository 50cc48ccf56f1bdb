/**
 * The host's side of the raw FUSE cases, on the engine: a share and its virtio-fs daemon exactly as the shim makes them, and
 * the attacker on the VMM's end of the daemon's socket.
 *
 *   host SCRATCH ATTACKER        in a mount namespace of its own
 *
 * SCRATCH holds `rootfs`, `writable`, `readonly` and `outside`. stdin and stdout are the attacker's; when it has left, containers
 * are made and removed where it has been, and one line of JSON says what became of them.
 */
import * as sys from 'native:sys'
import { spawn } from '../../../native/ts/child.ts'
import { MS_PRIVATE, MS_REC } from '../../../native/ts/constants/mount.ts'
import { check } from '../../../native/ts/errno.ts'
import { story } from '../../../native/ts/fault.ts'
import { makeDirectories, readText } from '../../../native/ts/file.ts'
import { configFrom } from '../../../shim/config/config.ts'
import { Share } from '../../../shim/storage/share.ts'
import { Virtiofsd } from '../../../shim/storage/virtiofsd.ts'

const [, scratch = '', attacker = ''] = sys.argv()
const state = `${scratch}/state`
/** Mount points outside of what the shim mounts. */
const strangers = (): string[] => readText('/proc/self/mountinfo').split('\n').map(line => line.split(' ')[4] ?? '')
  .filter(point => point.startsWith(`${scratch}/`) && !point.startsWith(`${state}/`))

check('mount', '/ as private', sys.mount(null, '/', null, MS_REC | MS_PRIVATE, null))
makeDirectories(state, 0o700)
const share = Share.open(state)
share.addRootfs('c1', [{ type: 'bind', source: `${scratch}/rootfs`, target: '', options: ['rbind'] }])
share.addBind('c1', `${scratch}/writable`, { readonly: false, recursive: false })
share.addBind('c1', `${scratch}/readonly`, { readonly: true, recursive: false })
const flags = readText('/proc/self/mountinfo').split('\n').filter(line => line.includes(`${state}/share/.binds/`)).map(line => line.split(' ')[5] ?? '')
const daemon = new Virtiofsd({ share: configFrom([]).share, source: share.dir, stateDir: state, confined: true, cgroups: [] })
const child = spawn({ path: attacker, argv: ['raw-fuse'], env: [], stdio: [0, 1, 2], pass: [daemon.device.number] })
await child.wait()
const daemonLived = daemon.daemon.exit === undefined
await daemon.stop()

/** Where the attacker has been: a container of the name that it may have planted, a bind, and the removal of what it may have renamed. */
const attributes = ['trusted.overlay.opaque', 'trusted.overlay.redirect', 'security.selinux', 'security.ima', 'security.capability', 'user.of-the-guest']
  .filter(name => typeof sys.lgetxattr(`${scratch}/writable/file`, name, 4096) !== 'number')
const report: Record<string, unknown> = { daemonLived, flags, attributes, said: daemon.daemon.lastWords(4) }
try {
  share.addRootfs('next', [{ type: 'bind', source: `${scratch}/rootfs`, target: '', options: ['rbind'] }])
  share.addBind('next', `${scratch}/writable`, { readonly: true, recursive: false })
  report.strangers = strangers()
  for (const id of ['next', 'c1']) share.remove(id)
  share.close()
} catch (error) {
  report.error = story(error)
}
report.left = readText('/proc/self/mountinfo').split('\n').map(line => line.split(' ')[4] ?? '').filter(point => point.startsWith(`${scratch}/`))
const line = sys.utf8Encode(`${JSON.stringify(report)}\n`)
sys.write(1, line, 0, line.length)
sys.exit(0)
