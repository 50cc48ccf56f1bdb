import type { Attack } from '../../attack.ts'
import { useUp } from '../../neighbourhood.ts'

const ask = ['/attack/exhaust', 'try-inotify']

/** The kernel counts some things by user id and by no cgroup. Pods that run as the same user share the count on a shared kernel. */
export const attack: Attack = {
  id: 'user-objects',
  title: 'a container takes all inotify instances that its user id may have',
  family: 'resources',
  leak: 'every pod with the same user id',
  bound: 'guest',
  control: { weak: 'runc, whose containers are counted by the host\'s user ids' },
  run: (site) => useUp(site, ['inotify'], { uid: 700000 + Math.floor(Math.random() * 100000), ask, askFar: ask }),
}
