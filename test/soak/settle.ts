/** Promises with an end. */

export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

/** Rejects with NoAnswer when `promise` has not settled after `timeoutMs`. */
export function within<Value>(promise: Promise<Value>, timeoutMs: number, what: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NoAnswer(`${what}: nothing within ${timeoutMs / 1000} s`)), timeoutMs)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** Waits for every one, and rejects then with the first error: nothing goes on behind the caller's back. */
export async function allOf(calls: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(calls)) if (outcome.status === 'rejected') throw outcome.reason
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** What a call came to: undefined, or its error. */
export const errorOf = (call: Promise<unknown>): Promise<unknown> => call.then(() => undefined, (error: unknown) => error)

export const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)
/** grpc's status code of an error, where it has one. */
export const codeOf = (error: unknown): number | undefined => (error as { code?: number } | undefined)?.code
