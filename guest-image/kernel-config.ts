// Kconfig drops a symbol silently when a dependency is missing. This compares what our fragments ask for with the
// .config that came out, so that such a drop fails the build and not, months later, a container.

/** One `CONFIG_X=value` line of a fragment, and where it stands. */
export interface Request {
  readonly symbol: string
  /** `y`, `n`, a number, or a quoted string, as written. */
  readonly value: string
  /** `file:line`, for messages. */
  readonly origin: string
}

const REQUEST = /^(CONFIG_\w+)=(\S.*?)\s*$/
const UNSET = /^# (CONFIG_\w+) is not set$/

/**
 * Reads the requests of one fragment. Comments and empty lines are skipped.
 * @throws when a line is none of these: Kconfig itself would only warn.
 */
export function parseFragment(name: string, text: string): Request[] {
  const requests: Request[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const match = REQUEST.exec(line)
    const origin = `${name}:${index + 1}`
    if (match === null) throw new Error(`${origin}: neither CONFIG_X=value nor a comment: ${line}`)
    requests.push({ symbol: match[1] ?? '', value: match[2] ?? '', origin })
  }
  return requests
}

/** Reads a .config: symbol → value, with `n` for those "not set". */
export function parseConfig(text: string): Map<string, string> {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    const set = REQUEST.exec(line)
    const unset = UNSET.exec(line)
    if (set !== null) values.set(set[1] ?? '', set[2] ?? '')
    else if (unset !== null) values.set(unset[1] ?? '', 'n')
  }
  return values
}

/** Says of each request that the configuration does not meet, and of each symbol asked for twice, what is wrong. */
export function unmetRequests(requests: readonly Request[], config: ReadonlyMap<string, string>): string[] {
  const problems: string[] = []
  const seen = new Map<string, Request>()
  for (const request of requests) {
    const earlier = seen.get(request.symbol)
    if (earlier !== undefined) {
      problems.push(`${request.origin}: ${request.symbol} is already set at ${earlier.origin}`)
    }
    seen.set(request.symbol, request)
    // A symbol whose dependencies are off is absent from .config: as good as n.
    const actual = config.get(request.symbol) ?? 'n'
    if (actual !== request.value) {
      problems.push(`${request.origin}: asked for ${request.symbol}=${request.value}, Kconfig made it ${actual}`)
    }
  }
  return problems
}
