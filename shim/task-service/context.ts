import type { HookState } from '../host-hooks.ts'
import type { EventSink } from '../events.ts'
import type { Container } from '../sandbox/container.ts'
import type { StreamBroker } from '../streaming/broker.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'

/** What every method of the task service works on. */
export interface TaskContext {
  /** Throws Refusal while the sandbox is not created. */
  readonly sandbox: Sandbox
  /** undefined while the sandbox is not created. */
  readonly made: Sandbox | undefined
  events: EventSink
  namespace: string
  /** Streams at the shim's own socket. */
  broker: StreamBroker
  /** Environment of the shim, for loggers. */
  env: readonly string[]
  /** Ends the sandbox, created or not; nothing is left on the host then. */
  stop: () => Promise<void>
  /** Ends the shim, once the answer to the present request is sent. */
  exit: () => void
}

/** The state document that hooks of `container` are given. */
export function hookState(container: Container, status: HookState['status']): HookState {
  return { id: container.id, status, pid: container.pid, bundle: container.bundle, annotations: container.annotations }
}
