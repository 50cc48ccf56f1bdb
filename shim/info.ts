import { packJson } from '../protocol/any.ts'
import { RuntimeInfo } from '../protocol/gen/types.ts'
import { encode } from '../protocol/message.ts'
import type { Features } from '../protocol/oci/features.ts'
import { writeStdout } from './standard-streams.ts'
import { shimName, version } from './version.ts'

/**
 * What containers of this runtime can use (OCI runtime spec, features.md). containerd and Kubernetes
 * believe it: a feature stands here only when the agent has it and a test uses it.
 */
export const features: Features = {
  ociVersionMin: '1.0.0',
  ociVersionMax: '1.2.0',
}

/** `-info`: describes the runtime on stdout (RuntimeInfo). The options on stdin change nothing and are not read. */
export function info(): void {
  writeStdout(encode(RuntimeInfo, {
    name: shimName,
    version: { version, revision: '' },
    features: packJson('types.containerd.io/opencontainers/runtime-spec/1/features/Features', features),
    annotations: {},
  }))
}
