import * as sys from 'native:sys'
import { MS_NODEV, MS_NOEXEC, MS_NOSUID } from '../../native/ts/constants/mount.ts'
import { checked } from '../../native/ts/errno.ts'
import { Fault, story } from '../../native/ts/fault.ts'
import { stat } from '../../native/ts/file.ts'
import type { IdMappings } from '../../native/ts/user-namespace.ts'
import type { Payload, SetVolumeRequest } from '../../protocol/gen/agent.ts'
import type { Log } from '../log.ts'
import { withMappedOwner } from '../spec/id-mappings.ts'
import { DirectoryWatch } from './directory-watch.ts'
import { entryOf, maxPayloadBytes, maxPayloadEntries, payloadKey, readPayload } from './payload.ts'
import { volumeKind } from './volume-kind.ts'

/** Where the agent keeps them. */
const guestVolumesDir = '/run/kata-ts/volumes'

/** Copies of kubelet's volumes that one sandbox may have: each takes guest memory, and twice that while it is replaced. */
const maxPayloadVolumes = 64
const maxPayloadsBytes = 16 * 1024 * 1024
/** tmpfs rounds each file up to a page, and holds two versions at a time. */
const payloadTmpfsBytes = 2 * (maxPayloadBytes + maxPayloadEntries * 4096)
/** Stands for a source of the host. */
const podShm = '/dev/shm of the pod'
/** After an update that the guest did not take. */
const retryMs = 5_000

/** What volumes are brought into the guest with. */
export interface VolumeAgent {
  setVolume(request: SetVolumeRequest): Promise<void>
  removeVolume(name: string): Promise<void>
}

/** A volume of the host that has its place in the guest's memory. */
interface GuestVolume {
  name: string
  source: string
  /** Containers that have it. */
  users: Set<string>
  /** Parts of it that containers have: `memory` only. */
  directories: Set<string>
  /** How it is made. */
  made: Pick<SetVolumeRequest, 'top' | 'sizeBytes' | 'mountFlags'>
  /** Whose its files are, other than on the host's disk; of its first container, as a pod's are all alike. */
  idMappings: IdMappings | undefined
  /** `payload` only. */
  copy?: Copy
}

interface Copy {
  payload: Payload
  bytes: number
  /** Key of what the guest has; undefined while it has nothing. */
  sent?: string
  /** An update is under way; another look is due after it. */
  sending?: Promise<void>
  again: boolean
  unwatch: () => void
}

/**
 * Volumes of the pod that live in the guest's memory instead of on the share:
 *
 *   kubelet's (ConfigMap, Secret, downward API, projected)   copied, and kept up to date: inotify on the host ─▶ SetVolume
 *   memory (emptyDir of medium Memory, /dev/shm)             made once with the host's size, kept until the VM ends, so that
 *                                                            they outlive a container as they do on the host
 *
 * One source is one volume for every container of the sandbox.
 */
export class GuestVolumes {
  readonly #volumes = new Map<string, GuestVolume>()
  readonly #watch: DirectoryWatch
  #lastName = 0
  #open = true

  /** `agent`: undefined while no guest answers. */
  constructor(private readonly agent: () => VolumeAgent | undefined, private readonly log: Log) {
    this.#watch = new DirectoryWatch(why => log.warn(`${why}: ConfigMaps and Secrets are looked at once a second`))
  }

  /**
   * The guest's path for a bind mount's source, from now on the container's; undefined for what stays on the share.
   * It is there once `bring` has resolved; its files belong to whom `idMappings` give them. Throws Fault or SysError.
   */
  take(containerId: string, source: string, destination: string, idMappings?: IdMappings): string | undefined {
    const kind = volumeKind(source, destination)
    if (kind.is === 'share') return undefined
    const volume = this.#volumes.get(kind.source) ?? (kind.is === 'memory' ? this.#addMemory(kind.source, idMappings) : this.#addPayload(kind.source, idMappings))
    if (!volume) return undefined
    volume.users.add(containerId)
    const path = `${guestVolumesDir}/${volume.name}`
    if (kind.is === 'payload' || kind.directory === undefined) return path
    volume.directories.add(kind.directory)
    return `${path}/${kind.directory}`
  }

  /** The guest's path of a /dev/shm for all containers of the pod, where the host has none for them; with the size that containerd gives one. */
  takePodShm(containerId: string, idMappings?: IdMappings): string {
    const volume = this.#volumes.get(podShm) ?? this.#add(podShm, {
      top: withMappedOwner({ path: '', isDirectory: true, mode: 0o1777, uid: 0, gid: 0, data: new Uint8Array() }, idMappings), sizeBytes: 64n * 1024n * 1024n, mountFlags: MS_NOSUID | MS_NODEV | MS_NOEXEC,
    })
    volume.users.add(containerId)
    return `${guestVolumesDir}/${volume.name}`
  }

  /** Makes the container's volumes in the guest. Rejects with the one that failed. */
  async bring(containerId: string, agent: VolumeAgent): Promise<void> {
    for (const volume of this.#volumes.values()) {
      if (!volume.users.has(containerId)) continue
      try {
        if (volume.copy) await this.#sendCopy(volume, volume.copy, agent)
        else await agent.setVolume({ ...volume.made, name: volume.name, directories: [...volume.directories], payload: undefined })
      } catch (cause) {
        throw new Fault(`volume ${volume.source}`, { cause })
      }
    }
  }

  /** The container is gone: copies that no other has are as well. Rejects when the guest keeps one. */
  async release(containerId: string): Promise<void> {
    for (const volume of [...this.#volumes.values()]) {
      if (!volume.users.delete(containerId) || volume.users.size > 0 || !volume.copy) continue
      this.#volumes.delete(volume.source)
      volume.copy.unwatch()
      if (volume.copy.sent !== undefined) await this.agent()?.removeVolume(volume.name)
    }
  }

  /** Watches nothing any more; what is in the guest goes with it. Idempotent. */
  close(): void {
    this.#open = false
    this.#watch.close()
  }

  #addMemory(source: string, idMappings: IdMappings | undefined): GuestVolume {
    const { blocks, blockSize, flags } = checked('statfs', source, sys.statfs(source))
    // statvfs(3): ST_NOSUID, ST_NODEV and ST_NOEXEC have the values of the mount flags.
    return this.#add(source, { top: withMappedOwner(entryOf('', stat(source)), idMappings), sizeBytes: BigInt(blocks * blockSize), mountFlags: flags & (MS_NOSUID | MS_NODEV | MS_NOEXEC) }, idMappings)
  }

  /** undefined, with a line in the log, when it is not kept as kubelet does it or is too large: the share then shows it. */
  #addPayload(source: string, idMappings: IdMappings | undefined): GuestVolume | undefined {
    const copies = [...this.#volumes.values()].flatMap(volume => volume.copy ?? [])
    let copy: Copy
    try {
      if (copies.length >= maxPayloadVolumes) throw new Fault(`the sandbox has ${maxPayloadVolumes} copies of such volumes`)
      copy = this.#openCopy(source, idMappings)
    } catch (error) {
      this.log.warn(`${source} stays on the share, without inotify in the guest: ${story(error)}`)
      return undefined
    }
    if (copies.reduce((sum, each) => sum + each.bytes, copy.bytes) > maxPayloadsBytes) {
      copy.unwatch()
      this.log.warn(`${source} stays on the share, without inotify in the guest: the sandbox's copies of such volumes hold ${maxPayloadsBytes} bytes`)
      return undefined
    }
    const volume = this.#add(source, { top: withMappedOwner(entryOf('', stat(source)), idMappings), sizeBytes: BigInt(payloadTmpfsBytes), mountFlags: MS_NOSUID | MS_NODEV }, idMappings)
    volume.copy = copy
    return volume
  }

  #openCopy(source: string, idMappings: IdMappings | undefined): Copy {
    // Watched before it is read: a change in between is not missed.
    const unwatch = this.#watch.add(source, () => this.#changed(source))
    try {
      const payload = mappedPayload(readPayload(source), idMappings)
      return { payload, bytes: bytesOf(payload), again: false, unwatch }
    } catch (error) {
      unwatch()
      throw error
    }
  }

  #add(source: string, made: GuestVolume['made'], idMappings?: IdMappings): GuestVolume {
    const volume: GuestVolume = { name: String(this.#lastName++), source, users: new Set(), directories: new Set(), made, idMappings }
    this.#volumes.set(source, volume)
    return volume
  }

  #changed(source: string): void {
    const volume = this.#volumes.get(source)
    // What the guest does not have yet is read anew when it is brought there.
    if (volume?.copy?.sent !== undefined) void this.#update(volume, volume.copy)
  }

  /** Brings a copy up to date; a failure is logged, and tried again later. */
  async #update(volume: GuestVolume, copy: Copy): Promise<void> {
    const agent = this.agent()
    if (!agent || !this.#open || this.#volumes.get(volume.source) !== volume) return
    try {
      await this.#sendCopy(volume, copy, agent)
    } catch (error) {
      this.log.warn(`update of volume ${volume.source}: ${story(error)}`)
      sys.setTimer(retryMs, () => void this.#update(volume, copy))
    }
  }

  /** One at a time and in order; what changes meanwhile is sent next. */
  #sendCopy(volume: GuestVolume, copy: Copy, agent: VolumeAgent): Promise<void> {
    copy.again = true
    copy.sending ??= this.#sendUntilSame(volume, copy, agent).finally(() => { delete copy.sending })
    return copy.sending
  }

  async #sendUntilSame(volume: GuestVolume, copy: Copy, agent: VolumeAgent): Promise<void> {
    while (copy.again) {
      copy.again = false
      copy.payload = mappedPayload(readPayload(volume.source), volume.idMappings)
      const key = payloadKey(copy.payload)
      if (key === copy.sent) continue
      await agent.setVolume({ ...volume.made, name: volume.name, directories: [], payload: copy.payload })
      copy.sent = key
      copy.bytes = bytesOf(copy.payload)
    }
  }
}

function mappedPayload(payload: Payload, idMappings: IdMappings | undefined): Payload {
  const { directory, entries } = payload
  return { ...payload, directory: directory && withMappedOwner(directory, idMappings), entries: entries.map(entry => withMappedOwner(entry, idMappings)) }
}

function bytesOf(payload: Payload): number {
  return payload.entries.reduce((sum, entry) => sum + entry.data.length, 0)
}
