import { execFileSync } from 'node:child_process'
import { contained, escaped, reachedGuest, type Attack } from '../../attack.ts'
import { allowAllDevices } from '../../spec-changes.ts'

/** The harmless one of the devices by which a kernel is had (/dev/mem, /dev/port): a line in its log shows that it could be written. */
export const attack: Attack = {
  id: 'mknod-kernel',
  title: 'device nodes of the kernel, made with CAP_MKNOD and written',
  family: 'container',
  leak: 'the kernel\'s memory, ports and log',
  bound: 'container',
  control: { weak: 'runc without a device cgroup' },
  async run(site) {
    const container = await site.start({ ...(site.weak ? { spec: allowAllDevices } : {}) })
    const { stderr } = await container.exec(['sh', '-c', `cd /tmp; mknod kmsg c 1 11; echo ${site.secret} >kmsg; mknod mem c 1 1; : <mem; mknod port c 1 4; : <port; echo wrote >&2`])
    if (execFileSync('dmesg', { encoding: 'utf8', maxBuffer: 1 << 26 }).includes(site.secret)) return escaped('the container\'s line stands in the host\'s kernel log')
    return /kmsg/.test(stderr) ? contained(stderr) : reachedGuest(`kmsg could be written: ${stderr}`)
  },
}
