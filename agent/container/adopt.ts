import type { Spec } from '../../protocol/oci/spec.ts'
import type { Cgroup } from './cgroup/cgroup.ts'
import { openCgroup } from './cgroup/open.ts'
import { Container, type RootMount } from './container.ts'
import { ContainerProcess } from './process.ts'

/** What identifies a container across processes: what a caller that ends keeps on disk. */
export interface ContainerRecord {
  id: string
  bundle: string
  spec: Spec
  pid: number
  /** Of init (ContainerProcess.startTime): without it a reused pid would pass for the container. */
  startTime: string
  /** ContainerProcess.inode */
  inode?: number
  cgroupPath: string
  /** As CreateOptions.cgroup. */
  cgroup?: Cgroup | undefined
  startSocket: string
  rootMount?: RootMount | undefined
  cgroupOptional?: boolean
  warn?: (message: string) => void
}

/** Finds a container again that another process created. A stopped one is a container too. */
export function adoptContainer(record: ContainerRecord): Container {
  const { id, bundle, spec, startSocket } = record
  return new Container({
    id, bundle, spec, startSocket, rootMount: record.rootMount,
    init: ContainerProcess.find(record.pid, record.startTime, record.inode),
    cgroup: record.cgroup ?? openCgroup(spec.linux?.cgroupsPath || record.cgroupPath, record.cgroupOptional),
    warn: record.warn ?? (() => undefined),
  })
}
