/**
 * The share over the real kernel, on the engine: what its mounts look like afterwards. Prints `ok …` or `FAILED …` lines.
 * Argument: a scratch directory. Must run as root in a mount namespace of its own.
 */
import * as sys from 'native:sys'
import { MS_PRIVATE, MS_SHARED } from '../../../native/ts/constants/mount.ts'
import { story } from '../../../native/ts/fault.ts'
import { exists, makeDirectories, readText, readTextIfPresent, writeText } from '../../../native/ts/file.ts'
import { mountsBelow } from '../../../shim/storage/kernel-file-systems.ts'
import { guestShareDir, Share } from '../../../shim/storage/share.ts'

const scratch = sys.argv()[1] ?? ''
const say = (text: string) => { const line = sys.utf8Encode(`${text}\n`); sys.write(1, line, 0, line.length) }
const expect = (what: string, truth: boolean) => say(`${truth ? 'ok' : 'FAILED'} ${what}`)
const refused = (what: string, work: () => unknown, pattern: RegExp) => {
  try {
    work()
    say(`FAILED ${what}: nothing thrown`)
  } catch (error) {
    expect(`${what} (${story(error)})`, pattern.test(story(error)))
  }
}
const writable = (path: string) => sys.writeFile(-100, path, 'x', 0o1101, 0o600) >= 0
const mounts = (top: string) => mountsBelow(readText('/proc/self/mountinfo'), top)

const state = `${scratch}/state`
makeDirectories(state)
const share = Share.open(state)
expect('the guest\'s view cannot be written at its top', !writable(`${share.dir}/planted`))

// A rootfs of so many layers that their absolute paths do not fit into a page.
const layers = Array.from({ length: 90 }, (_, at) => `${scratch}/snapshots-with-a-long-name/${at}/fs`)
layers.forEach((layer, at) => { makeDirectories(layer); writeText(`${layer}/file-${at}`, `${at}`) })
const [upper, work] = [`${scratch}/upper`, `${scratch}/work`]
makeDirectories(upper)
makeDirectories(work)
const overlay = { type: 'overlay', source: 'overlay', options: [`workdir=${work}`, `upperdir=${upper}`, `lowerdir=${layers.join(':')}`] }
expect('the layers are longer than a page', overlay.options.join(',').length > 4096)
expect('addRootfs gives the guest\'s path', share.addRootfs('c1', [overlay]) === `${guestShareDir}/c1/rootfs`)
expect('an overlay of many layers is mounted', readTextIfPresent(`${share.dir}/c1/rootfs/file-89`) === '89')
expect('the rootfs is writable', writable(`${share.dir}/c1/rootfs/new`) && exists(`${upper}/new`))
expect('nothing stays mounted where it was prepared', mounts(`${state}/share.host`).length === 1)
const workingDirectory = sys.getcwd()
expect('the working directory is what it was', workingDirectory === '/')

makeDirectories(`${scratch}/volume/inside`)
writeText(`${scratch}/volume/data`, 'data')
sys.mount('tmpfs', `${scratch}/volume/inside`, 'tmpfs', 0, null)
sys.mount('tmpfs', `${scratch}/volume/inside`, 'tmpfs', MS_PRIVATE, null)
const mine = (name: string) => `${share.dir}/.binds/${name}`
share.addBind('c1', `${scratch}/volume`, { readonly: true, recursive: true })
expect('a read-only bind shows its source', readTextIfPresent(`${mine('0')}/data`) === 'data')
expect('a read-only bind refuses writes', !writable(`${mine('0')}/x`))
expect('a mount below stays writable, as with runc', writable(`${mine('0')}/inside/x`) && share.hasMountsBelow('/run/kata-ts/share/.binds/0'))
expect('its source stays writable', writable(`${scratch}/volume/inside/y`))
share.addBind('c1', `${scratch}/volume/data`, { readonly: false, recursive: false })
expect('a file is bound as a file', readTextIfPresent(mine('1')) === 'data')
share.addBind('c1', `${scratch}/volume`, { readonly: false, recursive: false })
expect('a plain bind leaves mounts below out', !exists(`${mine('2')}/inside/y`) && writable(`${mine('2')}/z`) && !share.hasMountsBelow('/run/kata-ts/share/.binds/2'))

share.addBind('c1', `${scratch}/volume`, { readonly: true, readonlyBelow: true, recursive: true })
expect('a recursively read-only bind refuses writes below, too', !writable(`${mine('3')}/inside/x`))

makeDirectories(`${scratch}/host/proc`)
makeDirectories(`${scratch}/host/other`)
sys.mount('proc', `${scratch}/host/proc`, 'proc', 0, null)
sys.mount('tmpfs', `${scratch}/host/other`, 'tmpfs', 0, null)
share.addBind('c1', `${scratch}/host`, { readonly: true, recursive: true })
expect('a recursive bind leaves out the host\'s /proc', exists(`${mine('4')}/proc`) && !exists(`${mine('4')}/proc/1`))
expect('and the host still has it', exists(`${scratch}/host/proc/1`))
sys.symlinkat('/proc', -100, `${scratch}/innocent`)
refused('a symlink to /proc is refused', () => share.addBind('c1', `${scratch}/innocent`, { readonly: true, recursive: false }), /host's kernel/)
refused('/sys is refused', () => share.addBind('c1', '/sys/kernel', { readonly: true, recursive: true }), /host's kernel/)
refused('a source that is not there is refused', () => share.addBind('c1', `${scratch}/nothing`, { readonly: true, recursive: true }), /does not exist/)
refused('an id that is a path is refused', () => share.addBind('../c2', scratch, { readonly: true, recursive: true }), /no container id/)

refused('a failing rootfs', () => share.addRootfs('c2', [{ type: 'bind', source: `${scratch}/volume`, options: ['rbind'] },
  { type: 'overlay', source: 'overlay', options: [`lowerdir=${scratch}/nothing`, 'upperdir=/nowhere', 'workdir=/nowhere'] }]), /mount overlay/)
expect('leaves no mount', mounts(share.dir).every(mount => !mount.point.includes('/c2')) && mounts(`${state}/share.host`).length === 1)
share.addRootfs('c2', [{ type: 'bind', source: `${scratch}/volume`, options: ['rbind', 'ro'] }])
expect('and the same container can try again; a read-only rootfs is read-only', !writable(`${share.dir}/c2/rootfs/q`))

const followed = `${scratch}/followed`
makeDirectories(`${followed}/later`)
sys.mount('tmpfs', followed, 'tmpfs', 0, null)
sys.mount(null, followed, null, MS_SHARED, null)
makeDirectories(`${followed}/later`)
const both = [share.addBind('c1', followed, { readonly: false, recursive: true, follow: true }), share.addBind('c2', followed, { readonly: false, recursive: true, follow: true })]
expect('two containers with one source have one mount', both[0] === both[1])
sys.mount('tmpfs', `${followed}/later`, 'tmpfs', 0, null)
writeText(`${followed}/later/file`, 'later')
const inShare = `${share.dir}/.binds/${both[0]?.split('/').at(-1) ?? ''}`
expect('what the host mounts later comes along where that was asked for', readTextIfPresent(`${inShare}/later/file`) === 'later')
sys.umount2(`${followed}/later`, 0)
expect('and goes again', !exists(`${inShare}/later/file`))

share.remove('c1')
share.remove('c1')
expect('what another container has as well stays', exists(`${inShare}/later`))
share.remove('c2')
expect('and goes with it', mounts(share.dir).every(mount => !mount.point.includes('/.binds/')))
expect('remove takes every mount of the container', mounts(share.dir).every(mount => !mount.point.includes('/c1')))
expect('and its directory', !exists(`${share.dir}/c1`))
expect('volumes keep their data', readTextIfPresent(`${scratch}/volume/data`) === 'data')
share.close()
share.close()
expect('close leaves no mount', mounts(state).length === 0)
expect('and no directory', !exists(share.dir) && !exists(`${state}/share.host`))
