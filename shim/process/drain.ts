import { monotonicMs, within } from '../../native/ts/clock.ts'

/** The outputs of a process, as whoever waits for their end sees them. */
export interface Outputs {
  /** Resolves when all has arrived or was given up. */
  drained(): Promise<unknown>
  /** Bytes that have arrived. */
  readonly deliveredBytes: number
  /** Whether the agent has told how many bytes there are of each. */
  readonly isEndKnown: boolean
}

/** How long bytes that were announced may stand still: a reader on the host that is being restarted, a guest that lies. */
const stalledLimitMs = 10_000
/** Rounds in which bytes come and no end is told. What a pipe holds is out in one or two; a child may write for ever. */
const maxOpenRounds = 3

/**
 * Waits for the output of a process that has ended: until all is there, or nobody is going to send more.
 *
 *   quiet for `quietMs` ─▶ the agent is asked anything ─▶ its answer ─┬▶ the end was announced: wait on, while bytes move
 *                                                                     └▶ it was not: a child holds the output open, maybe for ever
 *
 * Time alone does not tell: a guest that a busy host lets wait says nothing for seconds and has everything still to say. What
 * the agent knew of the streams it has told before it answers, on the same connection. Never rejects.
 *
 * `totalLimitMs`: in all. What pipes and sockets hold is out long before; a guest that sends byte after byte of an endless stream gains nothing by it.
 */
export async function drain(outputs: Outputs, quietMs: number, pulse: () => Promise<unknown>, totalLimitMs = 60_000): Promise<void> {
  const beganMs = monotonicMs()
  let movedMs = beganMs
  for (let round = 1; ; round++) {
    const before = outputs.deliveredBytes
    if (await settles(outputs.drained(), quietMs)) return
    await pulse().catch(() => undefined)
    const isMoving = outputs.deliveredBytes !== before
    if (isMoving) movedMs = monotonicMs()
    const mayEnd = outputs.isEndKnown ? monotonicMs() - movedMs < stalledLimitMs : isMoving && round < maxOpenRounds
    if (!mayEnd || monotonicMs() - beganMs >= totalLimitMs) return
  }
}

function settles(promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  return within(promise, limitMs, 'output').then(() => true, () => false)
}
