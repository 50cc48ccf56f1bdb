import * as sys from 'native:sys'

/** The last bytes of a stream of text, for diagnoses: what a VMM, a daemon or a guest printed last. */
export class TextTail {
  #bytes = new Uint8Array(0)

  constructor(private readonly limitBytes = 4096) {}

  push(bytes: Uint8Array): void {
    const kept = Math.min(this.#bytes.length, Math.max(0, this.limitBytes - bytes.length))
    const next = new Uint8Array(kept + Math.min(bytes.length, this.limitBytes))
    next.set(this.#bytes.subarray(this.#bytes.length - kept))
    next.set(bytes.subarray(Math.max(0, bytes.length - this.limitBytes)), kept)
    this.#bytes = next
  }

  /** As printable text: escape sequences and other controls that would reach a reader's terminal are taken out. */
  text(): string {
    return printable(sys.utf8Decode(this.#bytes, 0, this.#bytes.length))
  }

  /** The last `count` lines that say something, joined by ` | `; empty when there are none. */
  lastLines(count: number): string {
    return this.#lines().slice(-count).join(' | ')
  }

  /** The first and the last lines, `count` together: programs name the cause first and may print a dump behind it. */
  ends(count: number): string {
    const lines = this.#lines()
    if (lines.length <= count) return lines.join(' | ')
    const head = Math.ceil(count / 2)
    return [...lines.slice(0, head), '…', ...lines.slice(head - count)].join(' | ')
  }

  #lines(): string[] {
    return this.text().split('\n').map(line => line.trim()).filter(line => line !== '')
  }
}

/** Text without ANSI escape sequences and control characters; line ends stay. */
export function printable(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/\u001b(\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(\u0007|\u001b\\)?|[@-Z\\^_c])/g, '')
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, ' ')
}

/** Cuts a byte stream into lines and gives each as printable text; a line without end is given in pieces. */
export class LineSplitter {
  #rest = ''

  /** `maxCharacters`: a longer line is given in pieces of that length. */
  constructor(private readonly give: (line: string) => void, private readonly maxCharacters = 1024) {}

  push(bytes: Uint8Array): void {
    const text = this.#rest + sys.utf8Decode(bytes, 0, bytes.length)
    // A lone carriage return ends a line too: a terminal would go back on it and write over what stands there.
    const lines = text.split(/\r\n?|\n/)
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#pieces(line)
    while (this.#rest.length > this.maxCharacters) {
      this.give(printable(this.#rest.slice(0, this.maxCharacters)))
      this.#rest = this.#rest.slice(this.maxCharacters)
    }
  }

  #pieces(line: string): void {
    for (let at = 0; at < line.length; at += this.maxCharacters) {
      const piece = printable(line.slice(at, at + this.maxCharacters)).trimEnd()
      if (piece !== '') this.give(piece)
    }
  }
}
