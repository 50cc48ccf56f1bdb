import * as sys from 'native:sys'
import { F_GETFL, F_SETFL, F_SETPIPE_SZ, O_NONBLOCK, O_RDWR } from '../../native/ts/constants/fcntl.ts'
import { check } from '../../native/ts/errno.ts'
import { duplicate, type Fd, open, pipe } from '../../native/ts/fd.ts'
import { Pump } from '../../native/ts/pump.ts'
import type { Stdio as StdioRequest } from '../../protocol/gen/agent.ts'
import type { ProcessIo } from '../container/options.ts'
import type { Events } from '../events.ts'
import { invalid, wrongState } from '../refusal.ts'
import { Input } from './input.ts'
import { Output } from './output.ts'
import type { Expected, Streams } from './streams.ts'

/** Room between a process and the pump of its output; memory only while it is full. */
const outputPipeBytes = 256 * 1024

export interface StdioPorts {
  streams: Streams
  events: Events
}

/** A process's stdio before it exists: streams are reserved, pipes made; a terminal comes with the process. */
interface Reserved {
  stdin: Expected | undefined
  stdout: Expected | undefined
  stderr: Expected | undefined
}

/**
 * What a process has on 0, 1 and 2: three pipes (or /dev/null), or one terminal. Every stream has a connection to
 * the host of its own; nothing of it passes through JavaScript.
 */
export class Stdio {
  #input: Input | undefined
  readonly #outputs: Output[] = []
  #reserved: Reserved

  private constructor(private readonly what: string, private readonly request: StdioRequest, private readonly ports: StdioPorts) {
    this.#reserved = { stdin: undefined, stdout: undefined, stderr: undefined }
  }

  /** Reserves the streams that `request` names. Throws Refusal; nothing is reserved then. */
  static open(what: string, request: StdioRequest, ports: StdioPorts): Stdio {
    if (request.terminal && request.stderrStream !== 0n) throw invalid(`${what}: a terminal has no stderr of its own, but stderr_stream is ${request.stderrStream}`)
    const stdio = new Stdio(what, request, ports)
    try {
      stdio.#reserved.stdin = stdio.#reserve(request.stdinStream)
      stdio.#reserved.stdout = stdio.#reserve(request.stdoutStream)
      stdio.#reserved.stderr = stdio.#reserve(request.stderrStream)
      return stdio
    } catch (error) {
      stdio.close()
      throw error
    }
  }

  /** The process's own ends, for the container library to take over. Call once. */
  takeIo(): ProcessIo {
    const { request } = this
    if (request.terminal) {
      return request.width > 0 && request.height > 0
        ? { terminal: true, size: { width: request.width, height: request.height } }
        : { terminal: true }
    }
    const stdin = this.#inputPipe()
    const stdout = this.#outputPipe('stdout', this.#reserved.stdout, request.stdoutStream)
    const stderr = this.#outputPipe('stderr', this.#reserved.stderr, request.stderrStream)
    return { terminal: false, stdin, stdout, stderr }
  }

  /** Takes ownership of the pty's master. */
  attachTerminal(master: Fd): void {
    setNonBlocking(master)
    const { stdin, stdout } = this.#reserved
    if (stdin) this.#input = new Input(`stdin of ${this.what}`, duplicate(master.number, master.what), stdin)
    if (stdout) this.#outputs.push(this.#output('terminal', master, stdout, this.request.stdoutStream))
    else this.#drainTerminal(master)
  }

  /** End of input after `bytes` bytes in all. Throws Refusal when there is no input. */
  closeStdin(bytes: bigint): void {
    if (!this.#input) throw wrongState(`${this.what} has no stdin`)
    this.#input.endAfter(bytes)
  }

  /** Resolves when every output has ended. */
  async outputsEnded(): Promise<void> {
    await Promise.all(this.#outputs.map(output => output.ended))
  }

  /** For when the process's container is gone, or was never made. Bytes that are on their way are still delivered. Idempotent. */
  close(): void {
    this.#input?.close()
    for (const output of this.#outputs) output.close()
    for (const expected of Object.values(this.#reserved)) expected?.cancel()
  }

  #reserve(id: bigint): Expected | undefined {
    return id === 0n ? undefined : this.ports.streams.expect(id)
  }

  #inputPipe(): Fd {
    const { stdin } = this.#reserved
    if (!stdin) return open('/dev/null', O_RDWR)
    const { reader, writer } = pipe(`stdin of ${this.what}`)
    setNonBlocking(writer)
    this.#input = new Input(writer.what, writer, stdin)
    return reader
  }

  #outputPipe(name: string, expected: Expected | undefined, id: bigint): Fd {
    if (!expected) return open('/dev/null', O_RDWR)
    const { reader, writer } = pipe(`${name} of ${this.what}`)
    // Fewer switches between process and pump: 65 MB/s where 64 KiB give 57. Where the kernel refuses, the default does.
    sys.fcntl(reader.number, F_SETPIPE_SZ, outputPipeBytes)
    setNonBlocking(reader)
    this.#outputs.push(this.#output(name, reader, expected, id))
    return writer
  }

  #output(name: string, source: Fd, expected: Expected, streamId: bigint): Output {
    return new Output(`${name} of ${this.what}`, source, expected, bytes => this.ports.events.streamEnd({ streamId, bytes: BigInt(bytes) }))
  }

  /** A terminal that nobody reads: its output is thrown away, so that the process neither blocks nor is hung up. */
  #drainTerminal(master: Fd): void {
    const nowhere = open('/dev/null', O_RDWR)
    const pump = new Pump(`terminal of ${this.what}`, { source: master.number, sink: nowhere.number })
    void pump.ended.then(() => {
      nowhere.close()
      master.close()
    })
  }
}

/** Of our own end of a pipe, or of the pty's master: the other end's description is another, so no process notices. */
function setNonBlocking(fd: Fd): void {
  const flags = check('fcntl', fd.what, sys.fcntl(fd.number, F_GETFL, 0))
  check('fcntl', fd.what, sys.fcntl(fd.number, F_SETFL, flags | O_NONBLOCK))
}
