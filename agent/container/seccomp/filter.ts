import type { Spec } from '../../../protocol/oci/spec.ts'

export interface CompiledFilter {
  /** An array of struct sock_filter. */
  program: Uint8Array
  /** For seccomp(2). */
  flags: number
  /** Whether it asks an agent (notify.ts): loading it gives a descriptor. */
  asks: boolean
}

/**
 * The spec's filter, compiled; undefined when it has none. The compiler and its tables of names are loaded only then:
 * in a guest, evaluating them costs milliseconds that most containers need not pay.
 */
export async function filterOf(spec: Spec, warn: (message: string) => void): Promise<CompiledFilter | undefined> {
  const filter = spec.linux?.seccomp
  if (!filter) return undefined
  const { compileFilter } = await import('./compile.ts')
  return compileFilter(filter, warn)
}
