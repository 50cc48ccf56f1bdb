import type { PlatformRequest, PlatformResponse } from '../../protocol/gen/sandbox.ts'
import type { SandboxContext } from './context.ts'
import { requireThis } from './create.ts'

/** Platform: what images the sandbox runs. Asked before the first container, so that its image can be chosen. */
export async function platform({ only }: SandboxContext, request: PlatformRequest): Promise<PlatformResponse> {
  requireThis(only.id, request.sandboxId)
  // In the words of Go's runtime.GOOS and GOARCH; the guest's kernel is built for this one.
  return { platform: { os: 'linux', architecture: 'amd64', variant: '', osVersion: '', osFeatures: [] } }
}
