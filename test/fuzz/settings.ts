/**
 * How long the fuzzers look. In the unit lane they take seconds; `hack/test fuzz` looks longer.
 *
 *   KATA_TS_FUZZ_RUNS=100000   inputs for each property
 *   KATA_TS_FUZZ_SEED=-17      repeats a run; a failure prints its seed
 */
export const runs = Number(process.env['KATA_TS_FUZZ_RUNS'] ?? 300)
const seed = process.env['KATA_TS_FUZZ_SEED']

export const settings = { numRuns: runs, ...(seed === undefined ? {} : { seed: Number(seed) }) }
/** For properties whose every input costs milliseconds. */
export const fewer = { ...settings, numRuns: Math.ceil(runs / 10) }
