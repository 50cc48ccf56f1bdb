/** The table case × runtime, and below it a line of evidence for each. */
import { grouped } from './entry.ts'
import type { JudgedEntry } from './entry.ts'

const shortName = (column: string): string => column.replace(/^io\.containerd\./, '').replace(/\.v\d+$/, '')

function cell(entry: JudgedEntry | undefined): string {
  if (entry === undefined) return ''
  const mark = entry.state === 'failed' ? ' !' : ''
  return `${entry.reach === 'none' ? '–' : entry.reach}${mark}`
}

const rowsOf = (entries: readonly JudgedEntry[]): JudgedEntry[][] => [...grouped(entries, 'id').values()]

export function table(entries: readonly JudgedEntry[]): string {
  const columns = [...new Set(entries.map((entry) => entry.column))]
  const head = ['case', '', 'may reach', ...columns.map(shortName)]
  const rows = rowsOf(entries).map((row) => {
    const [first] = row
    return [first?.id ?? '', first?.title ?? '', first?.bound ?? '', ...columns.map((column) => cell(row.find((entry) => entry.column === column)))]
  })
  const widths = head.map((_, index) => Math.max(...[head, ...rows].map((row) => (row[index] ?? '').length)))
  const line = (row: readonly string[]): string => row.map((text, index) => text.padEnd(widths[index] ?? 0)).join('  ').trimEnd()
  return [line(head), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n')
}

export function evidence(entries: readonly JudgedEntry[]): string {
  const width = Math.max(0, ...entries.map((entry) => shortName(entry.column).length))
  return rowsOf(entries).map((row) => [
    `${row[0]?.id}: ${row[0]?.title}. At stake: ${row[0]?.leak}`,
    ...row.map((entry) => `  ${shortName(entry.column).padEnd(width)}  ${cell(entry).padEnd(11)}  ${entry.failure ?? entry.evidence}`),
  ].join('\n')).join('\n')
}
