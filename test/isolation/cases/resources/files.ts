import { isControl, type Attack } from '../../attack.ts'
import { useUp } from '../../neighbourhood.ts'
import { oursRuntime } from '../../options.ts'
import { unguard } from '../../spec-changes.ts'

export const attack: Attack = {
  id: 'open-files',
  title: 'a container opens files until the kernel has no more',
  family: 'resources',
  leak: 'the pod\'s other containers, the agent, and the node',
  bound: 'container',
  control: {
    // The host's own table cannot be filled without harm to everybody on it.
    weak: 'kata-ts whose guest has the small table of open files that its kernel makes by itself', runtime: oursRuntime, reach: 'guest',
    unavailable: (host) => (host.stack === undefined ? 'needs the kata-ts of the private containerd' : undefined),
  },
  run: (site) => useUp(site, ['files'], {
    // As kubelet's podPidsLimit; a kernel of the pod's own needs none to keep the node safe.
    ...(isControl(site.runtime) ? { attackerSpec: (spec) => { spec.linux.resources['pids'] = { limit: 20 } } } : {}),
    ...(site.weak ? { spec: unguard, prepare: (near) => near.shell('echo 23000 >/proc/sys/fs/file-max') } : {}),
  }),
}
