/** An error that no system call gave: says what is wrong and, where it is known, how to mend it. */
export class Fault extends Error {
  override readonly name: string = 'Fault'
  readonly fix: string | undefined

  constructor(readonly what: string, options: { fix?: string; cause?: unknown } = {}) {
    super(options.fix ? `${what}; ${options.fix}` : what, options.cause === undefined ? undefined : { cause: options.cause })
    this.fix = options.fix
  }
}

/**
 * The whole story of an error on one line: its message, then its causes, each once.
 * `create container c1: mount proc on /proc: EPERM (operation not permitted)`
 */
export function story(error: unknown): string {
  const parts: string[] = []
  let at: unknown = error
  // Eight causes deep is more than any of our call chains; a cycle must not hang the error path.
  for (let depth = 0; at !== undefined && depth < 8; depth++) {
    const message = at instanceof Error ? at.message : String(at)
    if (!parts.some(part => part.includes(message))) parts.push(message)
    if (at instanceof AggregateError) parts.push(...at.errors.map(inside => story(inside)))
    at = at instanceof Error ? at.cause : undefined
  }
  return parts.join(': ').replace(/\s*\n\s*/g, ' ')
}
