import { describe, expect, it } from 'vitest'
import { sources } from './sources.ts'

/** Folder → what its code may import, besides itself. Tests beside the code may also use the test runner and fakes. */
const rules: { folder: string; may: RegExp[]; why: string }[] = [
  { folder: 'protocol/', may: [], why: 'pure bytes: shim, agent and tests share it' },
  { folder: 'native/ts/', may: [/^native:sys$/], why: 'the face of the binary knows nobody above it' },
  { folder: 'agent/container/', may: [/^native\/ts\//, /^native:sys$/, /^protocol\/oci\//], why: 'containers are made alike in the guest, on the host and under the fake' },
  { folder: 'agent/', may: [/^native\/ts\//, /^native:sys$/, /^protocol\//], why: 'the agent never knows the shim' },
  // The OCI command line is the container library on the host: the one place of shim/ that may use it.
  { folder: 'shim/cli/', may: [/^native\/ts\//, /^native:sys$/, /^protocol\//, /^shim\//, /^agent\/container\//], why: 'the command line makes containers on the host' },
  { folder: 'shim/', may: [/^native\/ts\//, /^native:sys$/, /^protocol\//, /^smol-toml$/], why: 'the shim never knows the agent' },
]

const inTest = (path: string) => /\.spec\.ts$|\/(fake|vectors|testing)\//.test(path)

describe('import direction', () => {
  const all = sources()

  it.each(rules)('$folder: $why', ({ folder, may }) => {
    const wrong = all
      .filter(source => source.path.startsWith(folder) && !inTest(source.path))
      // The most specific rule counts for a file.
      .filter(source => !rules.some(other => other.folder.length > folder.length && source.path.startsWith(other.folder)))
      .flatMap(source => source.imports
        .filter(name => !name.startsWith(folder) && !may.some(pattern => pattern.test(name)))
        .map(name => `${source.path} imports ${name}`))
    expect(wrong).toEqual([])
  })

  it('production code has no Node modules in it', () => {
    const wrong = all
      .filter(source => /^(shim|agent|protocol|native\/ts)\//.test(source.path) && !inTest(source.path))
      .filter(source => source.imports.some(name => name.startsWith('node:')))
      .map(source => source.path)
    expect(wrong).toEqual([])
  })

  it('finds the sources it judges', () => {
    for (const { folder } of rules)
      expect(all.some(source => source.path.startsWith(folder) && source.imports.length > 0), folder).toBe(true)
  })
})
