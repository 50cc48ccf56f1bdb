/**
 * Coverage-guided fuzzing of the native half (native/fuzz/README.md).
 *
 *   KATA_TS_FUZZ_SECONDS=600   for each target (default 30)
 *   KATA_TS_FUZZ_KEEP=1        puts new inputs into the corpus
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildFuzzers, fuzz, keepCorpus, minimize, type Target, targets, unpackCorpus } from './targets.ts'

const seconds = Number(process.env['KATA_TS_FUZZ_SECONDS'] ?? 30)
const artifacts = 'build/fuzz'

describe('a native decoder', () => {
  let programs: string
  beforeAll(() => { programs = buildFuzzers() }, 1_800_000)

  it.each(targets)(`%s survives ${seconds} s of what its coverage leads to`, target => {
    const corpus = `${artifacts}/${target}`
    unpackCorpus(target, corpus)
    const outcome = fuzz(`${programs}/${target}`, corpus, seconds, `${artifacts}/crashes`)
    expect(outcome.ok, outcome.report).toBe(true)
    expect(outcome.covered).toBeGreaterThan(0)
    if (process.env['KATA_TS_FUZZ_KEEP'] === undefined) return
    minimize(`${programs}/${target}`, `${corpus}.least`, corpus)
    console.log(`${target}: ${keepCorpus(target, `${corpus}.least`)} inputs were added to the corpus`)
  }, (seconds + 300) * 1000)
})

/** Mistakes as they are made: what stands in the source, and what is put there instead. */
const planted: { target: Target; file: string; right: string; wrong: string }[] = [
  { target: 'directory', file: 'src/sys/files.rs', right: 'length.clamp(NAME, rest.len())', wrong: 'length.max(NAME)' },
  { target: 'text', file: 'src/sys/text.rs', right: '.is_some_and(|second| *second >= 0xa0)', wrong: '.is_some_and(|second| *second > 0xa0)' },
  { target: 'pump', file: 'src/pump/transfer.rs', right: 'self.pending.extend_from_slice(&bytes[count..]);', wrong: 'self.pending.extend_from_slice(&bytes[count.min(bytes.len() - 1)..]);' },
]

describe('a planted bug', () => {
  const copy = mkdtempSync(`${tmpdir()}/kata-ts-planted-`)
  let programs: string
  beforeAll(() => {
    cpSync('native', copy, { recursive: true })
    for (const { file, right, wrong } of planted) {
      const source = readFileSync(`${copy}/${file}`, 'utf8')
      expect(source.split(right).length, `${file} has ${right} once`).toBe(2)
      writeFileSync(`${copy}/${file}`, source.replace(right, wrong))
    }
    programs = buildFuzzers(copy)
    return () => rmSync(copy, { recursive: true })
  }, 1_800_000)

  it.each(planted)('in $file is found by $target', ({ target }) => {
    const corpus = `${artifacts}/planted-${target}`
    unpackCorpus(target, corpus)
    const outcome = fuzz(`${programs}/${target}`, corpus, 120, `${artifacts}/planted`, false)
    expect(outcome.ok).toBe(false)
    expect(outcome.report).toMatch(/panicked at|ERROR: AddressSanitizer/)
  }, 300_000)
})
