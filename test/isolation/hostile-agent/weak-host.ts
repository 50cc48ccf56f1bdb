/** A host that believes its agent: what each attack of the double does where nothing is bounded or judged. */
import { type ChildProcess, spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { onTestFinished } from 'vitest'
import { AgentDefinition, CreateContainerRequest, CreateSandboxRequest, Event, SignalProcessRequest } from '../../../protocol/gen/agent.ts'
import { Request } from '../../../protocol/gen/ttrpc.ts'
import { encode } from '../../../protocol/message.ts'
import { encodeFrame, MessageType } from '../../../protocol/ttrpc/frame.ts'
import type { Site } from '../site.ts'
import { linkDouble } from './assault.ts'

/** As much as a weak host is let take: it has lost by then. */
const heldBytesMax = 100 * 1024 * 1024

export class WeakHost {
  /** Each frame's data, by its stream; a frame is waited for as long as its header says. */
  readonly frames: { streamId: number; data: Buffer }[] = []
  /** Containers of which an exit or OOM was taken down, whosever they are. */
  readonly ended: string[] = []
  /** A log that is written as it comes. */
  log = ''
  /** Bytes of the frame that is not complete yet. */
  heldBytes = 0
  #held: Buffer[] = []
  #streamId = -1
  #expected = 10

  private constructor(readonly agent: ChildProcess, private readonly control: Duplex, private readonly streamsPath: string) {
    control.on('data', (bytes: Buffer) => this.#take(bytes))
    control.on('error', () => undefined)
  }

  /** An agent that is at its attack's mercy: sandbox and container are made. */
  static start(site: Site, attack: string): WeakHost {
    const streams = `${site.directory}/${attack}.sock`
    const agent = spawn(linkDouble(site, attack), ['--control-fd', '3', '--streams-path', streams], { argv0: attack, stdio: ['ignore', 'ignore', 'inherit', 'pipe'] })
    onTestFinished(() => { agent.kill('SIGKILL') })
    const host = new WeakHost(agent, agent.stdio[3] as Duplex, streams) // 'pipe' is a socket pair, both ways
    host.ask('Events')
    host.ask('CreateSandbox', encode(CreateSandboxRequest, {}))
    host.ask('CreateContainer', encode(CreateContainerRequest, { containerId: 'c1', stdio: { stdinStream: 0n, stdoutStream: 1n, stderrStream: 0n, terminal: false, width: 0, height: 0 } }))
    return host
  }

  /** Sends a request, and gives its stream. */
  ask(method: string, payload: Uint8Array = new Uint8Array(0)): number {
    this.#streamId += 2
    this.control.write(encodeFrame(this.#streamId, MessageType.request, 0, Request.encode({ service: AgentDefinition.fullName, method, payload, timeoutNano: 0n, metadata: [] }).finish()))
    return this.#streamId
  }

  kill(): void {
    this.ask('SignalProcess', encode(SignalProcessRequest, { containerId: 'c1', signal: 9 }))
  }

  /** The container's output, of a host that reads until the end. */
  async output(): Promise<Socket> {
    for (;;) {
      const socket = connect(this.streamsPath)
      const connected = await new Promise<boolean>(resolve => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)))
      if (connected) {
        socket.write(Buffer.concat([Buffer.from('KTSTREAM'), Buffer.of(1, 0, 0, 0, 0, 0, 0, 0)])) // shim/stdio/connect.ts
        return socket
      }
    }
  }

  /** Resolves with the answer's data when it has come. No limit in time. */
  async answer(streamId: number): Promise<Buffer> {
    for (;;) {
      const frame = this.frames.find(each => each.streamId === streamId)
      if (frame) return frame.data
      await new Promise(resolve => this.control.once('data', resolve))
    }
  }

  /** Resolves when as much is held as no host may hold, or when `condition` is true. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition() && this.heldBytes < heldBytesMax) await new Promise(resolve => this.control.once('data', resolve))
  }

  #take(bytes: Buffer): void {
    this.#held.push(bytes)
    this.heldBytes += bytes.length
    if (this.heldBytes < this.#expected) return
    let held = Buffer.concat(this.#held)
    for (this.#expected = 10; held.length >= this.#expected;) {
      this.#expected = 10 + held.readUInt32BE(0)
      if (held.length < this.#expected) break
      this.#frame(held.readUInt32BE(4), held.subarray(10, this.#expected))
      held = held.subarray(this.#expected)
      this.#expected = 10
    }
    this.#held = [held]
    this.heldBytes = held.length
  }

  #frame(streamId: number, data: Buffer): void {
    this.frames.push({ streamId, data })
    if (streamId !== 1) return
    const told = Event.decode(data).event
    if (told?.$case === 'exit' || told?.$case === 'oom') this.ended.push(told.value.containerId)
    if (told?.$case === 'log') this.log += `${told.value.level}: ${told.value.message}\n`
  }
}

/** Whether it has not come to its end by then: a host without a limit of its own would wait on. */
export async function stillWaits(promise: Promise<unknown>, waitedMs = 1500): Promise<boolean> {
  return await Promise.race([promise.then(() => false), new Promise<boolean>(resolve => setTimeout(() => resolve(true), waitedMs))])
}
