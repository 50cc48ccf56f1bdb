/** The libFuzzer targets of native/fuzz: how they are built and run, and their corpus. */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

export const targets = ['text', 'arguments', 'directory', 'messages', 'pump', 'heap', 'archive'] as const
export type Target = typeof targets[number]

const checkout = new URL('../../..', import.meta.url).pathname.replace(/\/$/, '')
const cache = process.env['KATA_TS_CACHE'] ?? `${process.env['HOME'] ?? '/root'}/.cache/kata-ts`
const environment = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:${process.env['HOME'] ?? '/root'}/.cargo/bin` }

/** What cargo-fuzz gives rustc, which is all that it does; RUSTC_BOOTSTRAP lets a stable compiler take the -Z flag. */
const coverage = [
  '-Cpasses=sancov-module', '-Cllvm-args=-sanitizer-coverage-level=4', '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters',
  '-Cllvm-args=-sanitizer-coverage-pc-table', '-Cllvm-args=-sanitizer-coverage-trace-compares', '-Zsanitizer=address', '--cfg', 'fuzzing',
].join(' ')

/** Builds all targets of `native` (a copy of native/ may be given) with libFuzzer; gives the directory of the programs. */
export function buildFuzzers(native = `${checkout}/native`): string {
  const triple = 'x86_64-unknown-linux-gnu'
  build(native, ['--release', '--features', 'libfuzzer', '--target', triple, '--target-dir', `${cache}/cargo-fuzz`], { RUSTFLAGS: coverage, RUSTC_BOOTSTRAP: '1' })
  return `${cache}/cargo-fuzz/${triple}/release`
}

/** Builds all targets as plain programs that run the inputs they are given, beside the unit tests of the Rust code. */
export function buildReplayers(): string {
  const triple = 'x86_64-unknown-linux-musl'
  build(`${checkout}/native`, ['--target', triple, '--target-dir', `${cache}/cargo-test`], { CC_x86_64_unknown_linux_musl: 'musl-gcc' })
  return `${cache}/cargo-test/${triple}/debug`
}

function build(native: string, flags: readonly string[], env: Record<string, string>): void {
  execFileSync('nice', ['-n', '15', 'cargo', 'build', '--quiet', '--locked', '-j2', '--manifest-path', `${native}/fuzz/Cargo.toml`, ...flags], {
    env: { ...environment, ...env }, stdio: ['ignore', 'ignore', 'inherit'],
  })
}

const corpusFile = (target: Target): string => `${checkout}/native/fuzz/corpus/${target}.txt`

/** Lines of `hex # why`; the comment may be missing. */
export function corpusOf(target: Target): Buffer[] {
  return readFileSync(corpusFile(target), 'utf8').split('\n').filter(line => line !== '' && !line.startsWith('#')).map(line => Buffer.from(line.replace(/ *#.*/, ''), 'hex'))
}

/** The corpus as files of a fresh directory, as libFuzzer wants it. */
export function unpackCorpus(target: Target, directory: string): string[] {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  return corpusOf(target).map(bytes => {
    const path = `${directory}/${createHash('sha1').update(bytes).digest('hex')}`
    writeFileSync(path, bytes)
    return path
  })
}

/** Adds the inputs of a directory that are new, the short ones: a corpus is read by people and compiled by nobody. */
export function keepCorpus(target: Target, directory: string, longest = 96): number {
  const known = new Set(corpusOf(target).map(bytes => bytes.toString('hex')))
  const fresh = readdirSync(directory).map(name => readFileSync(`${directory}/${name}`)).filter(bytes => bytes.length > 0 && bytes.length <= longest)
    .map(bytes => bytes.toString('hex')).filter(hex => !known.has(hex)).sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
  if (fresh.length > 0) writeFileSync(corpusFile(target), `${readFileSync(corpusFile(target), 'utf8').trimEnd()}\n${fresh.join('\n')}\n`)
  return fresh.length
}

export interface Outcome { ok: boolean; inputs: number; covered: number; report: string }

/** Fuzzes from the inputs in `corpus`, where what is new is put. */
export function fuzz(program: string, corpus: string, seconds: number, artifacts: string, isLoud = true): Outcome {
  mkdirSync(artifacts, { recursive: true })
  const run = spawnSync('nice', ['-n', '15', program, corpus, `-max_total_time=${seconds}`, '-timeout=20', '-rss_limit_mb=3000', '-print_final_stats=1', `-artifact_prefix=${artifacts}/`], {
    // What the engine keeps for good is no leak.
    encoding: 'utf8', env: { ...environment, ASAN_OPTIONS: 'detect_leaks=0' }, maxBuffer: 1 << 28,
  })
  const inputs = Number(/number_of_executed_units: (\d+)/.exec(run.stderr)?.[1] ?? 0)
  const covered = Number([...run.stderr.matchAll(/cov: (\d+)/g)].at(-1)?.[1] ?? 0)
  if (isLoud) console.log(`${program.split('/').at(-1) ?? ''}: ${inputs} inputs, ${covered} edges in ${seconds} s`)
  return { ok: run.status === 0, inputs, covered, report: run.stderr.slice(-6_000) }
}

/** Fewest inputs that reach all that those of `from` reach. */
export function minimize(program: string, to: string, from: string): void {
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })
  execFileSync('nice', ['-n', '15', program, '-merge=1', to, from], { stdio: 'ignore', env: { ...environment, ASAN_OPTIONS: 'detect_leaks=0' } })
}
