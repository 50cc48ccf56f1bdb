import * as sys from 'native:sys'
import { AT_FDCWD, O_RDONLY, O_RDWR } from '../../native/ts/constants/fcntl.ts'
import { S_IFBLK, S_IFMT } from '../../native/ts/constants/stat.ts'
import { Fault } from '../../native/ts/fault.ts'
import { type Fd, open } from '../../native/ts/fd.ts'
import { fstat, readTextIfPresent } from '../../native/ts/file.ts'
import type { Owner } from '../../native/ts/owner.ts'
import type { Disk } from '../../protocol/gen/agent.ts'
import type { LinuxDevice } from '../../protocol/oci/linux.ts'
import type { Attachment, Hypervisor } from '../hypervisor/hypervisor.ts'
import type { DiskRequest } from '../spec/disks.ts'

/** What a disk is taken from the guest with. */
interface DiskAgent {
  releaseDisk(pciPath: string): Promise<void>
}

interface SharedDisk {
  attachment: Promise<Attachment>
  /** Containers that have it. */
  users: number
}

/**
 * The block devices of the host that containers of one sandbox have. Containers that are given the same one have one
 * disk in the guest: two would be two caches over the same blocks.
 *
 *   take     opened ─▶ plugged in (hypervisor) ─▶ CreateContainer names it, the agent waits for it
 *   release  last user gone ─▶ ReleaseDisk: the guest writes back and ejects ─▶ taken out of the VMM
 */
export class Disks {
  readonly #disks = new Map<string, SharedDisk>()

  /** `agent`: undefined when no guest answers any more; its disks then go with the VM. */
  constructor(private readonly hypervisor: Pick<Hypervisor, 'attach'>, private readonly agent: () => DiskAgent | undefined) {}

  /** Plugs them in; `owner` owes taking them away. Rejects with the first that failed. */
  async takeAll(requests: readonly DiskRequest[], owner: Owner): Promise<Disk[]> {
    const taken = await Promise.allSettled(requests.map(async request => {
      const pciPath = await this.take(request)
      owner.defer(`block device ${request.path}`, () => this.release(request))
      return { pciPath, hostMajor: request.major, hostMinor: request.minor }
    }))
    // Only now: what was plugged in beside one that failed is owed as well.
    return taken.map(result => {
      if (result.status === 'rejected') throw result.reason
      return result.value
    })
  }

  /** Plugs it in, if it is not; gives its place in the guest. Whoever took it owes `release`. */
  async take(request: DiskRequest): Promise<string> {
    const key = keyOf(request)
    const known = this.#disks.get(key)
    const disk = known ?? { attachment: this.#attach(request), users: 0 }
    disk.users++
    this.#disks.set(key, disk)
    try {
      return (await disk.attachment).pciPath
    } catch (cause) {
      if (--disk.users === 0) this.#disks.delete(key)
      throw new Fault(`block device ${request.path} (${request.major}:${request.minor})`, { cause })
    }
  }

  /** Gives it back; with its last user it leaves the guest. Rejects when the guest keeps it. */
  async release(request: DiskRequest): Promise<void> {
    const key = keyOf(request)
    const disk = this.#disks.get(key)
    if (!disk || --disk.users > 0) return
    this.#disks.delete(key)
    const attachment = await disk.attachment
    const agent = this.agent()
    if (!agent) return
    // A guest that does not let go is asked by the VMM, which takes longer.
    await agent.releaseDisk(attachment.pciPath).catch(() => undefined)
    await attachment.detach()
  }

  async #attach(request: DiskRequest): Promise<Attachment> {
    using file = openBlockDevice(request)
    return await this.hypervisor.attach({ kind: 'disk', file, type: 'block', readonly: request.readonly })
  }
}

function keyOf({ major, minor, readonly }: DiskRequest): string {
  return `${major}:${minor}:${readonly ? 'ro' : 'rw'}`
}

/** Whether the device has its path on the host: a node of the same numbers. */
export function isHostNode(device: LinuxDevice): boolean {
  const there = sys.statx(AT_FDCWD, device.path, 0)
  return typeof there !== 'number' && (there.mode & S_IFMT) === S_IFBLK && there.rdevMajor === device.major && there.rdevMinor === device.minor
}

/** Opens a block device by its numbers: its path is not told (config-linux.md#devices has the container's). The caller owns it. */
function openBlockDevice({ major, minor, readonly }: DiskRequest): Fd {
  const uevent = readTextIfPresent(`/sys/dev/block/${major}:${minor}/uevent`)
  if (uevent === undefined) throw new Fault('the host has no such block device')
  // sysfs writes ! for / in names such as cciss/c0d0; uevent has the real one.
  const name = /^DEVNAME=(.+)$/m.exec(uevent)?.[1]
  if (name === undefined) throw new Fault('the kernel does not tell its name')
  const file = open(`/dev/${name}`, readonly ? O_RDONLY : O_RDWR)
  const { mode, rdevMajor, rdevMinor } = fstat(file.number, file.what)
  if ((mode & S_IFMT) === S_IFBLK && rdevMajor === major && rdevMinor === minor) return file
  file.close()
  throw new Fault(`/dev/${name} is another file`, { fix: 'mount devtmpfs on /dev, or run udev' })
}
