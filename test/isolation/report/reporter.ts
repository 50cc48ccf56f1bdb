/** Prints the table when the suite has run, and writes --json and --junit. */
import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'
import { oneLine } from '../one-line.ts'
import { jsonFile, junitFile } from '../options.ts'
import type { Entry, JudgedEntry } from './entry.ts'
import { junit } from './junit.ts'
import { evidence, table } from './table.ts'

// A reporter that is named by path is the module's default export.
export default class IsolationReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const entries = modules.flatMap((module) => [...module.children.allTests()]).flatMap((test): JudgedEntry[] => {
      const { isolation } = test.meta() as { isolation?: Entry } // put there by suite.test.ts
      const { state, errors } = test.result()
      if (isolation === undefined || state === 'pending') return []
      const failure = errors?.[0]?.message
      return [{ ...isolation, state, ...(failure === undefined ? {} : { failure: oneLine(failure, 300) }) }]
    })
    if (entries.length === 0) return
    console.log(`\n${table(entries)}\n\n${evidence(entries)}\n`)
    const json = jsonFile()
    if (json !== undefined) writeFileSync(json, `${JSON.stringify({ entries }, undefined, 2)}\n`)
    const xml = junitFile()
    if (xml !== undefined) writeFileSync(xml, junit(entries))
  }
}
