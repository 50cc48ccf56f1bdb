/** Columns as Go's text/tabwriter aligns them for runc: at least 12 wide, three spaces between, nothing behind the last. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(12, ...rows.map(row => (row[column] ?? '').length + 3)))
  return rows.map(row => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('')).join('\n')
}
