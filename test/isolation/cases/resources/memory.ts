import { isControl, type Attack } from '../../attack.ts'
import { commonLimit, useUp } from '../../neighbourhood.ts'

export const attack: Attack = {
  id: 'memory-bomb',
  title: 'a container takes memory until it is killed',
  family: 'resources',
  leak: 'the pod\'s other containers, the agent, and the node',
  bound: 'container',
  // Files in memory stay when their writer is killed.
  control: { weak: 'runc, both containers below one limit of 32 MiB, of which files in /dev/shm take all', reach: 'guest' },
  async run(site) {
    const limit = { controller: 'memory', v1: 'memory.limit_in_bytes', v2: 'memory.max', value: String(32 << 20) }
    const common = site.weak ? commonLimit(site, [limit]) : undefined
    return await useUp(site, site.weak ? ['fill', '/dev/shm'] : ['memory'], {
      ...(common ? { spec: common } : {}),
      ...(isControl(site.runtime) && !site.weak ? { attackerSpec: (spec) => { spec.linux.resources['memory'] = { limit: 64 << 20 } } } : {}),
    })
  },
}
