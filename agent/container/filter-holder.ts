import type { Container } from './container.ts'
import type { ContainerProcess } from './process.ts'
import { handFilterOver } from './seccomp/notify.ts'
import { stateOf, type Status } from './state.ts'

/** What takes the filter of `process` from it and gives it, with the container's state, to the agent of the spec; undefined where none is asked. */
export function filterHolder(container: Container, process: ContainerProcess, status: Status): ((filter: number) => void) | undefined {
  const filter = container.spec.linux?.seccomp
  if (!filter?.listenerPath) return undefined
  return fd => handFilterOver(filter, { pid: process.pid, pidfd: process.pidfd, filter: fd }, stateOf(container, status))
}
