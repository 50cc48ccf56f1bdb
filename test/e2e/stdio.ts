/** One process's FIFOs and the cats that carry them: a FIFO opened by Node itself would block one of its few I/O threads. */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'

export class Output {
  readonly #chunks: Buffer[] = []
  readonly #waiting = new Set<() => void>()
  /** Resolves with everything, when the last writer of the FIFO has closed it. */
  readonly complete: Promise<Buffer>

  constructor(private readonly reader: ChildProcess) {
    reader.stdout?.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      for (const check of this.#waiting) check()
    })
    this.complete = new Promise((resolve) => reader.on('close', () => resolve(this.bytes)))
  }

  get bytes(): Buffer { return Buffer.concat(this.#chunks) }
  get text(): string { return this.bytes.toString() }

  /** Resolves when the output so far matches; rejects with the output if it ends before. */
  until(pattern: RegExp): Promise<RegExpMatchArray> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const match = this.text.match(pattern)
        if (match === null) return
        this.#waiting.delete(check)
        resolve(match)
      }
      this.#waiting.add(check)
      void this.complete.then(() => { check(); reject(new Error(`output ended without ${pattern}: ${this.text}`)) })
      check()
    })
  }

  close(): void { this.reader.kill('SIGKILL') }
}

/** Paths are empty strings where the process has no such stream, as containerd's API wants it. */
export class Stdio {
  readonly stdin: string
  readonly stdout: string
  readonly stderr: string
  #output: Output | undefined
  #errors: Output | undefined
  readonly #input: ChildProcess | undefined
  #inputEnded: Promise<void> = Promise.resolve()

  /** `readLater`: nobody reads the outputs until `read` is called. */
  constructor(private readonly directory: string, options: { stdin: boolean; terminal: boolean; readLater?: boolean }) {
    mkdirSync(directory, { recursive: true })
    this.stdin = options.stdin ? `${directory}/stdin` : ''
    this.stdout = `${directory}/stdout`
    this.stderr = options.terminal ? '' : `${directory}/stderr`
    execFileSync('mkfifo', [this.stdin, this.stdout, this.stderr].filter((path) => path !== ''))
    if (options.readLater !== true) this.read()
    if (options.stdin) {
      this.#input = spawn('sh', ['-c', 'exec cat >"$0"', this.stdin], { stdio: ['pipe', 'inherit', 'inherit'] })
      this.#inputEnded = new Promise((resolve) => this.#input?.on('close', () => resolve()))
      this.#input.stdin?.on('error', () => undefined) // EPIPE, where the process ends before its input does
    }
  }

  read(): void {
    const reader = (path: string): Output => new Output(spawn('cat', [path], { stdio: ['ignore', 'pipe', 'inherit'] }))
    this.#output = reader(this.stdout)
    if (this.stderr !== '') this.#errors = reader(this.stderr)
  }

  get output(): Output {
    if (this.#output === undefined) throw new Error('nobody reads this output yet: call read')
    return this.#output
  }
  /** Undefined for a terminal, whose stderr is its stdout. */
  get errors(): Output | undefined { return this.#errors }

  write(bytes: string | Buffer): void { this.#input?.stdin?.write(bytes) }

  /** Ends the input's writer and resolves when all was handed over. The end itself is CloseIO, which the caller sends. */
  endInput(): Promise<void> {
    this.#input?.stdin?.end()
    return this.#inputEnded
  }

  close(): void {
    this.#output?.close()
    this.#errors?.close()
    this.#input?.kill('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }
}
