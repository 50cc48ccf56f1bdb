// Sums up the lanes' results: why each skipped test was skipped, then one closing line.
// Usage: node hack/lib/test-summary.mjs RESULTS-FOLDER LANE…
import { existsSync, readFileSync } from 'node:fs'

const [folder, ...lanes] = process.argv.slice(2)
let passed = 0, failed = 0, skipped = 0
for (const lane of lanes) {
  const path = `${folder}/${lane}.json`
  if (!existsSync(path)) {
    // The lane ended before its tests did: types, a build, or a crash of the runner.
    console.log(`${lane}: no results`)
    failed++
    continue
  }
  const result = JSON.parse(readFileSync(path, 'utf8'))
  passed += result.numPassedTests
  failed += result.numFailedTests + result.testResults.filter(file => file.status === 'failed' && file.assertionResults.length === 0).length
  skipped += result.numPendingTests + (result.numTodoTests ?? 0)
  for (const file of result.testResults)
    for (const test of file.assertionResults)
      if (test.status === 'failed') console.log(`failed: ${lane}: ${test.fullName}`)
}
console.log(skipped ? `${passed} passed, ${failed} failed, ${skipped} skipped` : `${passed} passed, ${failed} failed`)
