import { spawnSync } from 'node:child_process'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildReplayers, targets, unpackCorpus } from '../fuzz/native/targets.ts'

describe('the fuzzers\' corpus', () => {
  let programs: string
  beforeAll(() => { programs = buildReplayers() }, 600_000)

  it.each(targets)('%s survives each input that is kept', target => {
    const inputs = unpackCorpus(target, `build/test/fuzz-corpus/${target}`)
    expect(inputs.length).toBeGreaterThan(0)
    const run = spawnSync(`${programs}/${target}`, inputs, { encoding: 'utf8' })
    // The last line names the input that it died of.
    expect(run.status, run.stderr.slice(-2_000)).toBe(0)
  })
})
