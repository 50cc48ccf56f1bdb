/** The agent as a process of this host, without a VM: the shim's hypervisor `none`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { Duplex } from 'node:stream'
import { AgentEnd, dialUnix } from './agent-end.ts'
import { makeRootfs } from './rootfs.ts'

export class HostAgent extends AgentEnd {
  private constructor(readonly dir: string, private readonly process: ChildProcess, private readonly control: Duplex, output: { text: string }) {
    super(control, { rootfs: `${dir}/rootfs`, dialStream: () => dialUnix(`${dir}/streams.sock`), console: () => output.text })
  }

  static async start(): Promise<HostAgent> {
    const dir = mkdtempSync(`${tmpdir()}/kata-ts-agent-`)
    makeRootfs(`${dir}/rootfs`)
    const child = spawn('build/bin/kata-ts-agent', ['--control-fd', '3', '--streams-path', `${dir}/streams.sock`], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
    const output = { text: '' }
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => { output.text += text })
    const agent = new HostAgent(dir, child, child.stdio[3] as Duplex, output) // a pipe of Node's is a socket pair
    await agent.agent.createSandbox({ sandboxId: 'host' })
    return agent
  }

  /** Closes the connection; gives the agent's exit status. */
  async stop(): Promise<{ status: number | null; socketIsLeft: boolean }> {
    this.control.destroy()
    if (this.process.exitCode === null) await once(this.process, 'close')
    const socketIsLeft = existsSync(`${this.dir}/streams.sock`)
    rmSync(this.dir, { recursive: true, force: true })
    return { status: this.process.exitCode, socketIsLeft }
  }
}
