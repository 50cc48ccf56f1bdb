import { type Check, Problems, root } from './check.ts'
import { process } from './process.ts'
import type { Process } from './process.ts'
import { resources } from './resources.ts'
import type { LinuxResources } from './resources.ts'
import { roundedArguments } from './rounding.ts'
import { spec } from './spec.ts'
import type { Spec } from './spec.ts'

/** A document that is no correct OCI document. `problems` has a line for each thing that is wrong. */
export class SpecError extends Error {
  override readonly name = 'SpecError'

  constructor(readonly what: string, readonly problems: readonly string[], count = problems.length, options?: ErrorOptions) {
    const more = count - problems.length
    super(`${what}: ${problems.join('; ')}${more > 0 ? `; and ${more} more` : ''}`, options)
  }
}

/** Reads a bundle's config.json. Throws SpecError naming each wrong field, what was found and what is allowed. */
export function parseSpec(json: string): Spec {
  const rounded = roundedArguments(json)
  if (rounded.length > 0) {
    throw new SpecError('config.json', rounded.slice(0, 20).map(value => `linux.seccomp.syscalls: argument value ${value} is not one of the numbers above 2^53 that can be compared with`), rounded.length)
  }
  return checked(parseJson(json, 'config.json'), spec, 'config.json') as Spec // the check mirrors the type field by field
}

/** Reads the process of an exec. Throws SpecError. */
export function parseProcess(json: string): Process {
  return checked(parseJson(json, 'process'), process, 'process') as Process // as above
}

/** Reads the resources of an update. Throws SpecError. */
export function parseResources(json: string): LinuxResources {
  return checked(parseJson(json, 'resources'), resources, 'resources') as LinuxResources // as above
}

/** Checks a spec that is already parsed, and takes `null` members out of it. Throws SpecError. */
export function checkSpec(value: unknown): Spec {
  return checked(value, spec, 'config.json') as Spec // as above
}

function checked(value: unknown, check: Check, what: string): unknown {
  const problems = new Problems()
  check(value, root, problems)
  if (problems.count > 0) throw new SpecError(what, problems.lines, problems.count)
  return value
}

function parseJson(json: string, what: string): unknown {
  if (json.trim() === '') throw new SpecError(what, ['is empty; it must hold a JSON object'])
  try {
    return JSON.parse(json)
  } catch (error) {
    // Engines quote the text: its line ends and terminal codes must not become the error's.
    const reason = (error instanceof Error ? error.message : String(error)).replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    throw new SpecError(what, [`is not JSON: ${reason}`], 1, { cause: error })
  }
}
