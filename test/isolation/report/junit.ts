/** JUnit's XML as CI hosts read it: a suite per column, the evidence as each case's output. */
import { grouped } from './entry.ts'
import type { JudgedEntry } from './entry.ts'

// XML 1.0, 2.2: control characters are not allowed even as references; what they were is of no use in a report.
const escape = (text: string): string => text
  .replace(/[^\t\n\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '?')
  .replace(/[<>&"']/g, (sign) => `&#${sign.charCodeAt(0)};`)

export function junit(entries: readonly JudgedEntry[]): string {
  const suites = [...grouped(entries, 'column')].map(([column, cases]) => {
    const count = (state: JudgedEntry['state']): number => cases.filter((entry) => entry.state === state).length
    return [
      `  <testsuite name="isolation ${escape(column)}" tests="${cases.length}" failures="${count('failed')}" skipped="${count('skipped')}">`,
      ...cases.map(testcase),
      '  </testsuite>',
    ].join('\n')
  })
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="isolation">\n${suites.join('\n')}\n</testsuites>\n`
}

function testcase(entry: JudgedEntry): string {
  const open = `    <testcase classname="isolation.${entry.family}.${escape(entry.column)}" name="${escape(`${entry.id} ${entry.title}`)}">`
  const result = entry.state === 'failed' ? `<failure message="${escape(entry.failure ?? '')}"/>` : entry.state === 'skipped' ? '<skipped/>' : ''
  return `${open}${result}<system-out>${escape(`${entry.reach}: ${entry.evidence}`)}</system-out></testcase>`
}
