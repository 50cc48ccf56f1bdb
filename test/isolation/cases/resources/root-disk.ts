import { execFileSync } from 'node:child_process'
import { contained, escaped, type Attack } from '../../attack.ts'
import { oursRuntime } from '../../options.ts'

const writtenMib = 32

export const attack: Attack = {
  id: 'root-file-system',
  title: 'a container writes to its root file system what the host has to keep',
  family: 'resources',
  leak: 'space on the node\'s disk',
  bound: 'container',
  control: { weak: 'runc on overlayfs, which has no quota' },
  accepted: (runtime) => (runtime === oursRuntime ? 'as with runc, kubelet\'s eviction by ephemeral-storage bounds it; on a block snapshotter the disk\'s size does' : undefined),
  async run(site) {
    let layer = ''
    const container = await site.start({ rootfs: (directory) => { layer = directory } })
    await container.exec(['sh', '-c', `dd if=/dev/zero of=/filled bs=1M count=${writtenMib}; sync`])
    const [kib] = execFileSync('du', ['-sk', layer], { encoding: 'utf8' }).split('\t')
    return Number(kib) >= writtenMib * 1024 ? escaped(`${kib} KiB more on the host's disk, and no limit in sight`) : contained(`the host keeps ${kib} KiB of ${writtenMib} MiB`)
  },
}
