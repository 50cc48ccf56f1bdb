import type { State } from '../../protocol/oci/state.ts'
import { ociVersion } from '../../protocol/oci/state.ts'
import type { Container } from './container.ts'

export type Status = 'created' | 'running' | 'paused' | 'stopped'

/** Where the container is in its life, asked of the kernel: nothing remembered can be wrong. */
export function statusOf(container: Container): Status {
  if (!container.init.alive()) return 'stopped'
  if (container.cgroup.frozen()) return 'paused'
  return container.waitsForStart ? 'created' : 'running'
}

/** The state document (runtime.md#state). */
export function stateOf(container: Container, status = statusOf(container)): State {
  return {
    ociVersion, id: container.id, status, bundle: container.bundle, annotations: container.spec.annotations ?? {},
    ...(status === 'stopped' ? {} : { pid: container.init.pid }),
  }
}
