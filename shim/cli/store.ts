import * as sys from 'native:sys'
import { AT_FDCWD } from '../../native/ts/constants/fcntl.ts'
import { DT_DIR } from '../../native/ts/constants/stat.ts'
import { E, SysError } from '../../native/ts/errno.ts'
import { Fault } from '../../native/ts/fault.ts'
import { makeDirectories, makeDirectory, readText, readTextIfPresent, removeTree, replaceText } from '../../native/ts/file.ts'
import { Container, type RootMount } from '../../agent/container/container.ts'
import { parseSpec } from '../../protocol/oci/parse.ts'
import { type ScopePlace, SystemdCgroup } from './systemd/cgroup.ts'

/** What is kept of a container between two commands. */
export interface StoredState {
  id: string
  bundle: string
  pid: number
  startTime: string
  inode?: number
  cgroupPath: string
  /** Where its cgroup is when systemd has made it. */
  scope?: ScopePlace | undefined
  rootMount?: RootMount | undefined
  /** RFC 3339. */
  created: string
}

/** Containers of one `--root`, each in a directory of its own. */
export class Store {
  /** `rootless`: whether a container may do without cgroups. */
  constructor(readonly root: string, readonly rootless = false) {}

  directory(id: string): string {
    return `${this.root}/${id}`
  }

  /** Makes the container's directory. Throws Fault for an id that is taken, or is no name. */
  claim(id: string): string {
    if (!/^[A-Za-z0-9_][A-Za-z0-9_+.-]*$/.test(id)) throw new Fault(`invalid container ID format: ${JSON.stringify(id)}`, { fix: 'use letters, digits, _ + - and .' })
    makeDirectories(this.root, 0o700)
    try {
      makeDirectory(this.directory(id), 0o700)
    } catch (error) {
      if (error instanceof SysError && error.errno === E.EEXIST) throw new Fault('container with given ID already exists', { cause: error })
      throw error
    }
    return this.directory(id)
  }

  startSocket(id: string): string {
    // A short name: Docker's root with a container id of 64 digits leaves nine bytes of sun_path (unix(7)).
    return `${this.directory(id)}/start`
  }

  /** The spec is kept as it was created: a bundle may change or go. */
  save(state: StoredState, config: string): void {
    replaceText(`${this.directory(state.id)}/config.json`, config)
    replaceText(`${this.directory(state.id)}/state.json`, JSON.stringify(state))
  }

  state(id: string): StoredState {
    const text = readTextIfPresent(`${this.directory(id)}/state.json`)
    if (text === undefined) throw new Fault(`container does not exist: ${id}`)
    return JSON.parse(text) as StoredState // our own file, in a directory of root's
  }

  /** The container as it is now. */
  load(id: string, warn: (message: string) => void): Container {
    const { bundle, pid, startTime, inode, cgroupPath, scope, rootMount } = this.state(id)
    const spec = parseSpec(readText(`${this.directory(id)}/config.json`))
    return Container.adopt({ id, bundle, spec, pid, startTime, ...(inode === undefined ? {} : { inode }), cgroupPath, cgroup: scope && SystemdCgroup.find(scope), rootMount, cgroupOptional: this.rootless, startSocket: this.startSocket(id), warn })
  }

  /** Where the container's root file system is on the host. */
  rootfs({ spec, bundle }: Container): string {
    const path = spec.root?.path ?? ''
    return path.startsWith('/') ? path : `${bundle}/${path}`
  }

  remove(id: string): void {
    removeTree(this.directory(id))
  }

  ids(): string[] {
    const entries = sys.readdir(AT_FDCWD, this.root)
    if (typeof entries === 'number') {
      if (entries === -E.ENOENT) return []
      throw new SysError('readdir', this.root, -entries)
    }
    return entries.filter(({ type }) => type === DT_DIR).map(({ name }) => name)
  }
}
