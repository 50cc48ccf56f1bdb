import { existsSync } from 'node:fs'
import { contained, escaped, type Attack, type Verdict } from '../../attack.ts'
import { notForOthers } from '../../hostile-agent/no-agent.ts'
import type { Fuse } from '../../raw-fuse/fuse.ts'
import { root } from '../../raw-fuse/fuse.ts'
import { guarded, naive, readonly, reportOf, rootfs, writable } from '../../raw-fuse/site.ts'
import type { Site } from '../../site.ts'

/** Names that are more than a name. */
const climbing = (site: Site): string[] => [
  '..', '../..', '../../outside/canary', '../../../outside', 'outside', '/etc/passwd', `${site.directory}/outside/canary`, 'file/../../outside/canary', './', '.', '', 'a/b', '../state',
]

/** Where a symlink or magic link would lead a server that follows it. */
const targets = (site: Site): string[] => [`${site.directory}/outside/canary`, '../outside/canary', '../../outside/canary', '/proc/self/root', '/proc/1/root', '/proc/self/cwd', '/etc/passwd']

async function attackPaths(site: Site, fuse: Fuse): Promise<string[]> {
  const through: string[] = []
  const holders = [root, ...(await Promise.all([fuse.walk(...writable), fuse.walk(...rootfs), fuse.walk(...readonly)])).filter((node) => node !== undefined)]
  const judge = async (how: string, node: bigint): Promise<void> => {
    const inside = await fuse.lookup(node, 'canary')
    for (const each of inside === undefined ? [node] : [node, inside]) {
      const content = await fuse.content(each)
      if (content?.includes(site.secret) || content?.includes('root:x:')) through.push(how)
    }
  }
  for (const holder of holders) {
    for (const name of climbing(site)) {
      const node = await fuse.lookup(holder, name)
      if (node === undefined) continue
      await judge(`LOOKUP ${JSON.stringify(name)}`, node)
      // Two steps up, where one was answered with the directory itself.
      const outside = await fuse.lookup(node, 'outside')
      if (outside !== undefined) await judge(`LOOKUP ${JSON.stringify(name)}, outside`, outside)
    }
    for (const [at, target] of targets(site).entries()) {
      await fuse.symlink(holder, `link${at}`, target)
      const node = await fuse.lookup(holder, `link${at}`)
      if (node !== undefined) await judge(`SYMLINK to ${target}`, node)
      const beyond = await fuse.lookup(holder, `link${at}/canary`)
      if (beyond !== undefined) await judge(`LOOKUP through a SYMLINK to ${target}`, beyond)
    }
    await fuse.create(holder, '../outside/planted', 0o644)
    await fuse.mkdir(holder, '../outside/planted')
    await fuse.rename(holder, 'file', holder, '../outside/planted')
  }
  if (existsSync(`${site.directory}/outside/planted`)) through.push('a name with slashes made a file outside')
  return through
}

async function verdict(site: Site, fuse: Fuse): Promise<Verdict> {
  const through = await attackPaths(site, fuse)
  return through.length > 0 ? escaped(`${through.length} ways to a file of the host's: ${through.slice(0, 3).join('; ')}`) : contained('no name, link or magic link led out of the share')
}

export const attack: Attack = {
  id: 'fuse-paths',
  title: 'raw FUSE: `..` and slashes in names, absolute and magic links, on the share\'s top, a rootfs, a volume (CVE-2026-47243)',
  family: 'guest',
  leak: "files of the host's outside of the share",
  bound: 'guest',
  notFor: notForOthers,
  control: { weak: 'a file server that joins names to paths and follows links', run: async (site) => verdict(site, await naive(site)) },
  async run(site) {
    const fuse = await guarded(site)
    const judged = await verdict(site, fuse)
    const report = await reportOf(fuse)
    if (!report.daemonLived) return escaped(`the daemon died of names: ${report.said}`)
    return judged
  },
}
