import { isControl, type Attack } from '../../attack.ts'
import { commonLimit, useUp } from '../../neighbourhood.ts'

export const attack: Attack = {
  id: 'fork-bomb',
  title: 'a container makes processes until no more can be made',
  family: 'resources',
  leak: 'the pod\'s other containers, and the node',
  bound: 'container',
  control: { weak: 'runc, both containers below one limit of 100 processes and none of their own', reach: 'guest' },
  async run(site) {
    const common = site.weak ? commonLimit(site, [{ controller: 'pids', v1: 'pids.max', v2: 'pids.max', value: '100' }]) : undefined
    return await useUp(site, ['forks'], {
      ...(common ? { spec: common } : {}),
      // As kubelet's podPidsLimit. A kernel of the pod's own needs none to keep the node safe.
      ...(isControl(site.runtime) && !site.weak ? { attackerSpec: (spec) => { spec.linux.resources['pids'] = { limit: 200 } } } : {}),
    })
  },
}
