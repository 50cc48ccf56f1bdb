/** A detached container of an image that is a whole system, run by ctr as a user would. */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import { uniqueId } from '../e2e/container.ts'
import type { Lane } from '../e2e/matrix.ts'
import { checkout } from '../e2e/stack.ts'
import type { CommandResult, Stack } from '../e2e/stack.ts'

export interface SystemOptions { image: 'systemd' | 'docker'; flags?: readonly string[]; command?: readonly string[]; memoryMib?: number }

export class System {
  readonly id = uniqueId()
  private constructor(private readonly stack: Stack) {}

  /** Imports the image, and runs it until the test ends. */
  static async start(stack: Stack, lane: Lane, options: SystemOptions): Promise<System> {
    const archive = execFileSync(`${checkout}/hack/images/debian-image`, [options.image], { stdio: ['ignore', 'pipe', 'inherit'] }).toString().trim()
    await succeed(stack.ctr(['image', 'import', archive], { timeoutMs: 300_000 }))
    const layer = `${stack.directory}/kata-ts/config.d/80-rich.toml`
    writeFileSync(layer, `[hypervisor]\nmemory_mib = ${options.memoryMib ?? 512}\n`)
    onTestFinished(() => rmSync(layer, { force: true }))
    const system = new System(stack)
    onTestFinished(async () => {
      await stack.ctr(['task', 'rm', '-f', system.id])
      await stack.ctr(['container', 'rm', system.id])
    })
    await succeed(stack.ctr(['run', '-d', '--runtime', lane.runtimeName, ...options.flags ?? [], `docker.io/library/${options.image}:latest`, system.id, ...options.command ?? []], { timeoutMs: 300_000 }))
    return system
  }

  /** Runs a shell script inside; its output and status. */
  try(script: string, timeoutMs = 300_000): Promise<CommandResult> {
    return this.stack.ctr(['task', 'exec', '--exec-id', uniqueId(), this.id, '/bin/sh', '-c', script], { timeoutMs })
  }

  /** As try; throws when it fails. */
  async shell(script: string): Promise<string> {
    return (await succeed(this.try(script), script)).text
  }

  /** Resolves with the exit status of the first process. */
  async wait(): Promise<number> {
    return (await this.stack.client.call('tasks.Wait', { container_id: this.id, exec_id: '' }, 300_000)).exit_status
  }

  async kill(signal: number): Promise<void> {
    await this.stack.client.call('tasks.Kill', { container_id: this.id, exec_id: '', signal, all: false })
  }
}

async function succeed(command: Promise<CommandResult>, what = ''): Promise<CommandResult> {
  const result = await command
  if (result.code !== 0) throw new Error(`exit ${result.code} ${what}\n${result.text}${result.stderr}`)
  return result
}
