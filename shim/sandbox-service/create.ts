import { isAny, unpackAny } from '../../protocol/any.ts'
import { PodSandboxConfig } from '../../protocol/gen/cri.ts'
import type { Any } from '../../protocol/gen/google/protobuf/any.ts'
import type { CreateSandboxRequest } from '../../protocol/gen/sandbox.ts'
import { message } from '../../protocol/message.ts'
import { Refusal } from '../refusal.ts'
import { podOfConfig } from '../sandbox/pod.ts'
import type { SandboxContext } from './context.ts'

/**
 * CreateSandbox: the VM starts now, as only now its size and its host namespaces are known; it boots while the answer
 * travels, and StartSandbox waits for it.
 */
export async function create({ only }: SandboxContext, request: CreateSandboxRequest): Promise<Record<string, never>> {
  requireThis(only.id, request.sandboxId)
  const config = configOf(request.options)
  const annotations = { ...request.annotations, ...config.annotations }
  only.create(podOfConfig(only.id, { ...config, annotations }, request.netnsPath))
  return {}
}

/** Throws Refusal for options that are no PodSandboxConfig. */
function configOf(options: Any | undefined): PodSandboxConfig {
  if (!options) return message(PodSandboxConfig, {})
  if (isAny(options, 'runtime.v1.PodSandboxConfig')) return unpackAny(PodSandboxConfig, options)
  const { typeUrl }: Any = options
  throw new Refusal('invalid', `CreateSandbox has options of type ${typeUrl}`, { fix: 'kata-ts takes runtime.v1.PodSandboxConfig' })
}

/** Throws Refusal for a request about another sandbox. */
export function requireThis(id: string, asked: string): void {
  if (asked !== id) throw new Refusal('not-found', `sandbox ${JSON.stringify(asked)} is not this shim's`, { fix: `it serves ${id}` })
}
