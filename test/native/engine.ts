import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { SourceMaps } from '../../native/build/source-map.ts'

export interface Run {
  status: number | null
  signal: NodeJS.Signals | null
  stdout: string
  /** Positions are mapped to TypeScript. */
  stderr: string
}

/** A TypeScript program of test/native/programs as a binary of the real engine. */
export class Program {
  readonly #path: string
  readonly #maps: SourceMaps

  /** Builds the binary; quick when nothing changed. */
  constructor(name: string) {
    mkdirSync('build/test/native', { recursive: true })
    this.#path = `build/test/native/${name}`
    execFileSync('hack/build-bin', ['--bundle', `test/native/programs/${name}.ts`, '-o', this.#path], { stdio: ['ignore', 'ignore', 'inherit'] })
    this.#maps = new SourceMaps(`${this.#path}.maps`)
  }

  /** Names of the program's cases. */
  cases(): string[] {
    return execFileSync(this.#path, ['--list'], { encoding: 'utf8' }).split('\n').filter(name => name !== '')
  }

  /** Runs one case in a process of its own. */
  run(...args: string[]): Promise<Run> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.#path, args, { stdio: ['ignore', 'pipe', 'pipe'] })
      let stdout = ''
      let stderr = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text })
      child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text })
      child.on('error', reject)
      child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr: this.#maps.mapStack(stderr) }))
    })
  }
}
