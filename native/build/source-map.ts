import { existsSync, readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'

/** Where a position of the bundle comes from; line and column count from 1. */
interface Origin {
  source: string
  line: number
  column: number
}

interface Segment {
  column: number
  source: number
  line: number
  sourceColumn: number
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Numbers of one segment, in base 64 VLQ: five bits a digit, the lowest first, the sign in the first bit (Source Map, revision 3). */
function decodeVlq(text: string): number[] {
  const numbers: number[] = []
  let value = 0
  let shift = 0
  for (const digit of text) {
    const bits = digits.indexOf(digit)
    value += (bits & 31) << shift
    shift += 5
    if (bits & 32) continue
    numbers.push(value & 1 ? -(value >> 1) : value >> 1)
    value = 0
    shift = 0
  }
  return numbers
}

/** Lines of segments; every number but the column goes on from the segment before, over line ends too. */
function decodeMappings(mappings: string): Segment[][] {
  let source = 0
  let line = 0
  let sourceColumn = 0
  return mappings.split(';').map(text => {
    let column = 0
    const segments: Segment[] = []
    for (const [columnStep, sourceStep, lineStep, sourceColumnStep] of text.split(',').map(decodeVlq)) {
      if (columnStep === undefined) continue
      column += columnStep
      if (sourceStep === undefined || lineStep === undefined || sourceColumnStep === undefined) continue
      source += sourceStep
      line += lineStep
      sourceColumn += sourceColumnStep
      segments.push({ column, source, line, sourceColumn })
    }
    return segments
  })
}

/** A source map as esbuild writes it, for looking up positions of the bundle. */
class SourceMap {
  readonly #sources: string[]
  readonly #lines: Segment[][]

  /** Throws when the file is no source map. */
  constructor(path: string) {
    const map = JSON.parse(readFileSync(path, 'utf8')) as { sources: string[]; mappings: string; sourceRoot?: string }
    this.#sources = map.sources.map(source => relative(process.cwd(), resolve(dirname(path), map.sourceRoot ?? '', source)))
    this.#lines = decodeMappings(map.mappings)
  }

  /** The origin of `line`:`column` (from 1); undefined for what has none. */
  origin(line: number, column: number): Origin | undefined {
    const segment = this.#lines[line - 1]?.findLast(candidate => candidate.column <= column - 1)
    const source = this.#sources[segment?.source ?? -1]
    if (!segment || source === undefined) return undefined
    return { source, line: segment.line + 1, column: segment.sourceColumn + 1 }
  }
}

/** The source maps of a binary's modules. */
export class SourceMaps {
  readonly #maps = new Map<string, SourceMap>()

  /** `folder` holds NAME.js.map for each module NAME.js. */
  constructor(readonly folder: string) {}

  /** Replaces every `NAME.js:LINE:COLUMN` of a stack trace by its origin; what has none stays. */
  mapStack(stack: string): string {
    return stack.replace(/([\w.-]+\.js):(\d+):(\d+)/g, (position, name: string, line: string, column: string) => {
      const origin = this.#map(name)?.origin(Number(line), Number(column))
      return origin ? `${origin.source}:${origin.line}:${origin.column}` : position
    })
  }

  #map(name: string): SourceMap | undefined {
    const path = `${this.folder}/${name}.map`
    const known = this.#maps.get(name)
    if (known || !existsSync(path)) return known
    const map = new SourceMap(path)
    this.#maps.set(name, map)
    return map
  }
}
