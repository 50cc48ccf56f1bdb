/** Where a container is in its life (runtime.md#state). */
export type ContainerStatus = 'creating' | 'created' | 'running' | 'stopped'

/** What `state` prints, and what hooks read from stdin (runtime.md#state). */
export interface State {
  ociVersion: string
  id: string
  /** `paused` is not in the spec, but every runtime prints it. */
  status: ContainerStatus | 'paused'
  /** Of the container's init, as the runtime sees it; absent when stopped. */
  pid?: number
  /** Absolute path. */
  bundle: string
  annotations?: Record<string, string>
}

/** The version of the runtime spec that this runtime implements. */
export const ociVersion = '1.2.1'
