/** Figures by name: kata-ts beside runc, minimum and median of the samples. */
export type Samples = Partial<Record<'kata-ts' | 'runc', number[]>>
export interface Row { name: string; unit: string; samples: Samples; promise: string }

export class Table {
  readonly rows: Row[] = []

  /** `promise` is the number DESIGN promises, as text: it is printed beside the figure, never compared. */
  add(name: string, unit: string, samples: Samples, promise = ''): void { this.rows.push({ name, unit, samples, promise }) }

  format(): string {
    const lines = [['', 'kata-ts', 'runc', '', 'promise'], ...this.rows.map(({ name, unit, samples, promise }) =>
      [name, cell(samples['kata-ts']), cell(samples['runc']), unit, promise])]
    const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
    return lines.map((line) => line.map((text, column) =>
      column === 1 || column === 2 ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0)).join('  ').trimEnd() + '\n').join('')
  }
}

/** `min / median`, or the one sample there is. */
function cell(samples: readonly number[] | undefined): string {
  if (samples === undefined || samples.length === 0) return '–'
  const sorted = [...samples].sort((a, b) => a - b)
  const minimum = shown(sorted[0] ?? NaN)
  return sorted.length === 1 ? minimum : `${minimum} / ${shown(sorted[sorted.length >> 1] ?? NaN)}`
}

const shown = (value: number): string => Number.isNaN(value) ? 'not measured' : value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2)
