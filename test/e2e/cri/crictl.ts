/** crictl: for what CRI streams (attach, exec), and for fields of a container that tests of devices set. */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from '../directory.ts'
import { idPrefix } from '../leaks.ts'
import { run, type CommandOptions, type CommandResult, type Stack } from '../stack.ts'
import { podImage } from './pod.ts'

export class CrictlPod {
  #containers = 0
  private constructor(private readonly stack: Stack, private readonly directory: string, readonly id: string) {}

  /** Runs a pod until the test ends. The stack must have CRI. */
  static async run(stack: Stack, handler: string, linux: object = {}): Promise<CrictlPod> {
    const directory = temporaryDirectory()
    const name = `${idPrefix}${randomBytes(6).toString('hex')}`
    writeFileSync(`${directory}/pod.json`, JSON.stringify({ metadata: { name, uid: name, namespace: 'default', attempt: 0 }, log_directory: directory, linux }))
    const { code, text, stderr } = await crictl(stack, ['runp', '-r', handler, `${directory}/pod.json`])
    if (code !== 0) throw new Error(stderr)
    const id = text.trim()
    onTestFinished(async () => { await crictl(stack, ['rmp', '-f', id]) })
    return new CrictlPod(stack, directory, id)
  }

  /** Creates and starts a container; gives its id. Rejects with what crictl says. */
  async start(config: { command: readonly string[] } & Record<string, unknown>): Promise<string> {
    const name = `c${++this.#containers}`
    const file = `${this.directory}/${name}.json`
    writeFileSync(file, JSON.stringify({ metadata: { name }, image: { image: podImage }, log_path: `${name}.log`, linux: {}, ...config }))
    const created = await crictl(this.stack, ['create', this.id, file, `${this.directory}/pod.json`])
    const id = created.text.trim()
    const started = created.code === 0 ? await crictl(this.stack, ['start', id]) : created
    if (started.code !== 0) throw new Error(started.stderr)
    return id
  }

  /** A shell script in a container, to its end, by ExecSync. Throws when it fails. */
  async shell(container: string, script: string): Promise<string> {
    const { code, text, stderr } = await crictl(this.stack, ['exec', '-s', container, 'sh', '-c', script])
    if (code !== 0) throw new Error(`exit ${code} of ${script}\n${text}${stderr}`)
    // crictl adds an empty line for each of the two outputs.
    return text.replace(/\n+$/, '\n')
  }

  crictl(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return crictl(this.stack, args, options)
  }

  /** The lines of the last container's log, without time and tag. */
  get log(): string[] {
    return readFileSync(`${this.directory}/c${this.#containers}.log`, 'utf8').split('\n').map((line) => line.replace(/^\S+ (stdout|stderr) \S /, ''))
  }
}

function crictl(stack: Stack, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return run(`${stack.directory}/bin/crictl`, args, { timeoutMs: 120_000, ...options })
}
