import type { Child } from '../../native/ts/child.ts'
import type { StreamBroker } from '../streaming/broker.ts'
import { connectStream, type Dial } from './connect.ts'
import { InputStream } from './input.ts'
import { FifoInput, StreamedInput } from './input-source.ts'
import { endLogger, startLogger } from './logger.ts'
import { type OutputEnd, OutputStream } from './output.ts'
import { placeOutput } from './sink.ts'
import { parseStreamUri, type StreamUri } from './uri.ts'

/** The fields of a task request that say where a process' streams go. */
export interface StdioRequest {
  stdin: string
  stdout: string
  stderr: string
  terminal: boolean
}

export interface StdioContext {
  namespace: string
  containerId: string
  /** Environment for a logger. */
  env: readonly string[]
  /** A stream id that no other stream of the sandbox has or had. */
  nextStreamId: () => bigint
  broker: StreamBroker
}

/** The streams of one process: the host's ends from `open` (stdin's when the process starts), the guest's from `connect`. */
export class Stdio {
  private constructor(
    readonly request: StdioRequest,
    readonly stdin: InputStream | undefined,
    readonly stdout: OutputStream | undefined,
    readonly stderr: OutputStream | undefined,
    private readonly logger: Child | undefined,
  ) {}

  /** Opens what `request` names on the host. Rejects with SysError or Fault, and then holds nothing. */
  static async open(request: StdioRequest, context: StdioContext): Promise<Stdio> {
    const input = parseStreamUri(request.stdin)
    const outputs = [parseStreamUri(request.stdout), request.terminal ? none : parseStreamUri(request.stderr)] as const
    const output = (name: string, uri: StreamUri): OutputStream | undefined =>
      uri.scheme === 'none' ? undefined : new OutputStream(context.nextStreamId(), `${name} of ${context.containerId}`)
    const stdin = openInput(input, context)
    const [stdout, stderr] = [output('stdout', outputs[0]), output('stderr', outputs[1])]
    try {
      const binary = outputs.find(uri => uri.scheme === 'binary')
      if (binary?.scheme === 'binary') return new Stdio(request, stdin, stdout, stderr, await placeLogger(binary, stdout, stderr, context))
      if (stdout) placeOutput(stdout, outputs[0], context.broker)
      if (stderr) placeOutput(stderr, outputs[1], context.broker)
      return new Stdio(request, stdin, stdout, stderr, undefined)
    } catch (error) {
      stdin?.close()
      stdout?.close()
      stderr?.close()
      throw error
    }
  }

  get streams(): { stdinStream: bigint; stdoutStream: bigint; stderrStream: bigint } {
    return { stdinStream: this.stdin?.id ?? 0n, stdoutStream: this.stdout?.id ?? 0n, stderrStream: this.stderr?.id ?? 0n }
  }

  /** Connects every stream to the guest, at once; from then on bytes move. Rejects with the first failure. */
  async connect(dial: Dial): Promise<void> {
    const attach = async (stream: InputStream | OutputStream | undefined): Promise<void> => {
      if (stream) stream.attach(await connectStream(dial, stream.id))
    }
    await Promise.all([attach(this.stdin), attach(this.stdout), attach(this.stderr)])
  }

  /** The output stream `id`, where it is one of these. */
  output(id: bigint): OutputStream | undefined {
    return [this.stdout, this.stderr].find(stream => stream?.id === id)
  }

  /** Resolves when all output has arrived, with the worst of the ends. Does not reject. */
  async drained(): Promise<OutputEnd> {
    const ends = await Promise.all([this.stdout?.drained ?? 'complete', this.stderr?.drained ?? 'complete'])
    return ends.find(end => end === 'cut') ?? ends.find(end => end === 'closed') ?? 'complete'
  }

  get deliveredBytes(): number {
    return (this.stdout?.deliveredBytes ?? 0) + (this.stderr?.deliveredBytes ?? 0)
  }

  /** Whether the agent has told the end of every output. */
  get isEndKnown(): boolean {
    return (this.stdout?.isEndKnown ?? true) && (this.stderr?.isEndKnown ?? true)
  }

  /** Closes everything; a logger gets the time to write what it has. Idempotent. */
  async close(): Promise<void> {
    this.stdin?.close()
    this.stdout?.close()
    this.stderr?.close()
    if (this.logger) await endLogger(this.logger)
  }
}

const none: StreamUri = { scheme: 'none' }

/** stdin is read from a FIFO or a stream; nothing else can be. */
function openInput(uri: StreamUri, { broker, containerId, nextStreamId }: StdioContext): InputStream | undefined {
  const what = `stdin of ${containerId}`
  if (uri.scheme === 'fifo') return new InputStream(nextStreamId(), what, new FifoInput(uri.path))
  return uri.scheme === 'stream' ? new InputStream(nextStreamId(), what, new StreamedInput(broker, uri.id)) : undefined
}

/** Starts the logger that stdout names (stderr names the same) and gives it both streams. */
async function placeLogger(uri: StreamUri & { scheme: 'binary' }, stdout: OutputStream | undefined, stderr: OutputStream | undefined, context: StdioContext): Promise<Child> {
  const logger = await startLogger({ path: uri.path, arguments: uri.arguments, namespace: context.namespace, containerId: context.containerId, env: context.env })
  for (const [stream, pipe] of [[stdout, logger.stdout], [stderr, logger.stderr]] as const) {
    if (stream) stream.place(pipe)
    else pipe.close()
  }
  return logger.child
}
