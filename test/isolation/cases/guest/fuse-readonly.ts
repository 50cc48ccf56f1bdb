import { readdirSync, readFileSync } from 'node:fs'
import { contained, escaped, type Attack, type Verdict } from '../../attack.ts'
import { notForOthers } from '../../hostile-agent/no-agent.ts'
import { op, type Fuse } from '../../raw-fuse/fuse.ts'
import { guarded, naive, readonly, reportOf, writable } from '../../raw-fuse/site.ts'
import type { Site } from '../../site.ts'

const O_RDWR = 2
const O_TRUNC = 0o1000
/** include/uapi/linux/fuse.h: the write comes from the page cache, as of a file that was opened long ago. */
const FUSE_WRITE_CACHE = 1
const key = Buffer.from([1])

async function verdict(site: Site, fuse: Fuse): Promise<Verdict> {
  const [volume, other] = [await fuse.walk(...readonly), await fuse.walk(...writable)]
  if (volume === undefined || other === undefined) throw new Error('the volumes are not in the share')
  const file = await fuse.lookup(volume, 'file')
  if (file === undefined) throw new Error('the read-only volume is empty')
  // The same requests do change a volume that may be written: without that the case would prove nothing.
  const proof = await fuse.lookup(other, 'file')
  const opened = proof === undefined ? undefined : await fuse.open(proof, O_RDWR)
  if (proof !== undefined && opened !== undefined) await fuse.write(opened, proof, 'changed by the guest')
  await fuse.symlink(other, 'proof-link', '/')
  if (!readFileSync(`${site.directory}/writable/file`, 'utf8').startsWith('changed') || !readdirSync(`${site.directory}/writable`).includes('proof-link')) {
    throw new Error('the writable volume cannot be changed either: the requests are wrong')
  }
  for (const flags of [0, 1, O_RDWR, O_TRUNC, O_RDWR | O_TRUNC]) {
    const fh = await fuse.open(file, flags)
    if (fh === undefined) continue
    for (const write of [0, FUSE_WRITE_CACHE]) await fuse.write(fh, file, 'changed by the guest', write)
    await fuse.fallocate(fh, file)
  }
  await fuse.truncate(file)
  await fuse.chmod(file, 0o777)
  await fuse.create(volume, 'new', 0o644)
  await fuse.mkdir(volume, 'new-directory')
  await fuse.mknod(volume, 'new-node', 0o100644)
  await fuse.symlink(volume, 'new-link', '/')
  await fuse.link(file, volume, 'new-name')
  await fuse.link(file, other, 'linked-out')
  await fuse.rename(volume, 'file', other, 'moved-out')
  await fuse.rename(other, 'file', volume, 'moved-in')
  await fuse.unlink(volume, 'file')
  for (const name of ['user.a', 'trusted.overlay.opaque', 'security.capability', 'security.selinux']) await fuse.setxattr(file, name, key)
  await fuse.send(op.ioctl, file, new Uint8Array(64))
  const now = { names: readdirSync(`${site.directory}/readonly`).join(' '), content: readFileSync(`${site.directory}/readonly/file`, 'utf8') }
  const same = now.names === 'file' && now.content === 'content of readonly\n'
  return same ? contained('the volume is what it was, file and names') : escaped(`the read-only volume now has ${now.names}: ${now.content}`)
}

export const attack: Attack = {
  id: 'fuse-readonly',
  title: 'raw FUSE: a read-only volume written, truncated, renamed, linked and created in (CVE-2020-28914, CVE-2026-46695)',
  family: 'guest',
  leak: 'ConfigMaps, hostPaths and images that are given read-only',
  bound: 'guest',
  notFor: notForOthers,
  control: { weak: "a share whose read-only is the guest's own affair", run: async (site) => verdict(site, await naive(site)) },
  async run(site) {
    const fuse = await guarded(site)
    const judged = await verdict(site, fuse)
    await reportOf(fuse)
    return judged
  },
}
