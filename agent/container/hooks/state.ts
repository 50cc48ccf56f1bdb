import type { ContainerStatus, State } from '../../../protocol/oci/state.ts'
import { ociVersion } from '../../../protocol/oci/state.ts'

/** The state that a hook finds on its stdin (config.md#posix-platform-hooks, runtime.md#state). */
export function hookState(container: { id: string; bundle: string; annotations: Record<string, string> }, status: ContainerStatus, pid: number): string {
  const state: State = {
    ociVersion, id: container.id, status, bundle: container.bundle, annotations: container.annotations,
    ...(status === 'stopped' ? {} : { pid }),
  }
  return JSON.stringify(state)
}
