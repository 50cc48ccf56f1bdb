import { contained, escaped, type Attack, type Verdict } from '../../attack.ts'
import { notForGiven } from '../../hostile-agent/no-agent.ts'
import { oursRuntime } from '../../options.ts'
import { configureShims, logFromNow } from '../../shim-settings.ts'
import type { Site } from '../../site.ts'

/** What virtiofsd may use here, and what its guest writes through it. */
const limitMib = 64
const writtenMib = 160

async function run(site: Site): Promise<Verdict> {
  const { stack } = site.host
  if (!stack) throw new Error('the limit is a key of the configuration: only on the private containerd')
  const disk = `${site.directory}/memory`
  site.host.shell(`mkdir ${disk}; mount -t tmpfs -o size=${2 * writtenMib}m isolation ${disk}`)
  configureShims(stack, `[share]\nmemory_mib = ${site.weak ? 0 : limitMib}\n`)
  const log = logFromNow(stack)
  const end = await site.attempt({
    args: ['dd', 'if=/dev/zero', 'of=/memory/fill', 'bs=1M', `count=${writtenMib}`],
    spec: (spec) => { spec.mounts.push({ destination: '/memory', type: 'bind', source: disk, options: ['rbind', 'rw'] }) },
  })
  const usedMib = Number(site.host.shell(`stat -c %b ${disk}/fill`)) / 2048
  const told = log().split('\n').some((line) => line.includes('its limit of memory was reached (share.memory_mib)'))
  const what = `${Math.round(usedMib)} MiB of the host's memory taken, exit status ${end.status}${told ? ', the shim says at which limit' : ''}`
  if (usedMib > limitMib) return escaped(what)
  if (!told) throw new Error(`the end of virtiofsd was not told: ${what} ${end.refusal ?? ''}`)
  return contained(what)
}

/** A guest makes virtiofsd take memory of the host's that nobody gives back: files of a hostPath that lies in memory. */
export const attack: Attack = {
  id: 'share-memory',
  title: 'a container fills files in memory (a hostPath on a tmpfs) through virtiofsd',
  family: 'resources',
  leak: "the node's memory",
  bound: 'container',
  notFor: (runtime) => runtime === oursRuntime ? notForGiven(runtime) : 'has no virtiofsd of ours: a container\'s own limit of memory counts',
  run,
  control: { weak: 'virtiofsd without a limit', runtime: oursRuntime, unavailable: (host) => host.stack === undefined ? 'only on the private containerd' : undefined },
}
