/**
 * Inputs that are kept: those that once failed, and those a generator seldom finds. One file a subject, readable:
 * `why` each is there, and its `text`, its bytes in `hex`, or its `json`. They are replayed in the unit lane.
 */
import { readFileSync } from 'node:fs'

export interface Kept {
  why: string
  text?: string
  hex?: string
  json?: unknown
}

export function corpus(subject: string): Kept[] {
  return JSON.parse(readFileSync(`${import.meta.dirname}/corpus/${subject}.json`, 'utf8')) as Kept[] // the files are ours
}

export const bytesOf = (kept: Kept): Uint8Array => kept.hex === undefined ? new TextEncoder().encode(textOf(kept)) : new Uint8Array(Buffer.from(kept.hex, 'hex'))
export const textOf = (kept: Kept): string => kept.text ?? JSON.stringify(kept.json)
