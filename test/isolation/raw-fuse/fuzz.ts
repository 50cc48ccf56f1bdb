/** Malformed FUSE by chance (programs/raw-fuse.c --fuzz): against the share as the shim makes it, and against a server without guards. */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { program } from '../programs.ts'
import type { Site } from '../site.ts'
import { hostSide, type Report } from './site.ts'

export type Malformed = 'messages' | 'chains'

export interface Fuzzed {
  made: number
  answered: number
  /** Answers in which the site's secret stood. */
  leaks: number
  /** Whether the server answers no more. */
  gone: boolean
}

/** `count` inputs at most: a server that is gone ends the round. Both of one seed are the same. */
export function fuzzGuarded(site: Site, malformed: Malformed, seed: number, count: number): Fuzzed & { report: Report } {
  const output = run('unshare', ['--mount', hostSide(), site.directory, program('raw-fuse'), '--fuzz', malformed, String(seed), String(count), site.secret])
  const report = JSON.parse(output.split('\n').find((line) => line.startsWith('{')) ?? '') as Report // host.ts prints one
  return { ...parse(output), report }
}

export function fuzzNaive(site: Site, malformed: Malformed, seed: number, count: number): Fuzzed {
  mkdirSync(`${site.directory}/share`, { recursive: true })
  return parse(run(program('raw-fuse'), ['--naive', `${site.directory}/share`, '--fuzz', malformed, String(seed), String(count), site.secret]))
}

function run(command: string, args: readonly string[]): string {
  const { stdout, error } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 90_000 })
  if (error) throw error
  return stdout
}

function parse(output: string): Fuzzed {
  const [, made, answered, leaks, state] = /^F (\d+) (\d+) (\d+) (there|gone)$/m.exec(output) ?? []
  if (state === undefined) throw new Error(`the attacker told nothing: ${output.slice(0, 300)}`)
  return { made: Number(made), answered: Number(answered), leaks: Number(leaks), gone: state === 'gone' }
}
