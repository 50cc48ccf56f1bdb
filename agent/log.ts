import * as sys from 'native:sys'

export const levels = ['error', 'warn', 'info', 'debug'] as const
export type Level = (typeof levels)[number]

export interface Line {
  level: Level
  message: string
  /** JSON object, or empty. */
  fields: string
}

/** Where lines go; false: not taken, so they go to the console. */
export type LineSink = (line: Line) => boolean

/** Longer messages are cut: a container's names and errors must not grow our memory or the host's log. */
const maxMessageCharacters = 4096

/**
 * The agent's log: to the console (descriptor 2) until the shim listens to events, then with them. Error and
 * panic text goes to the console by itself, because there the VMM keeps it whatever happens to us.
 */
export class Log {
  #level: Level = 'info'
  #sink: LineSink = () => false

  /** Lines below this level are dropped; an unknown level is `info`. */
  setLevel(name: string): void {
    this.#level = levels.find(level => level === name) ?? 'info'
  }

  /** From now on lines are offered to `sink` first. */
  setSink(sink: LineSink): void {
    this.#sink = sink
  }

  readonly error = (message: string, fields?: object): void => this.#write('error', message, fields)
  readonly warn = (message: string, fields?: object): void => this.#write('warn', message, fields)
  readonly info = (message: string, fields?: object): void => this.#write('info', message, fields)
  readonly debug = (message: string, fields?: object): void => this.#write('debug', message, fields)

  /** Whether a line of this level would be written: for what is worth working out only then. */
  enabled(level: Level): boolean {
    return levels.indexOf(level) <= levels.indexOf(this.#level)
  }

  #write(level: Level, message: string, fields: object | undefined): void {
    if (!this.enabled(level)) return
    const line: Line = { level, message: message.slice(0, maxMessageCharacters), fields: fields ? JSON.stringify(fields) : '' }
    if (!this.#sink(line)) printLine(`${line.level}: ${line.message}${line.fields && ` ${line.fields}`}`)
  }
}

/** One line to the console, whatever else is broken. */
export function printLine(text: string): void {
  const bytes = sys.utf8Encode(`kata-ts-agent: ${text.replace(/[\r\n]+/g, ' ')}\n`)
  sys.write(2, bytes, 0, bytes.length)
}
