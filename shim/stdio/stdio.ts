import type { Child } from '../../native/ts/child.ts'
import { O_APPEND, O_CREAT, O_NONBLOCK, O_RDWR, O_WRONLY } from '../../native/ts/constants/fcntl.ts'
import { S_IFIFO, S_IFMT } from '../../native/ts/constants/stat.ts'
import { type Fd, duplicate, open } from '../../native/ts/fd.ts'
import { makeDirectories, stat } from '../../native/ts/file.ts'
import { Owner } from '../../native/ts/owner.ts'
import { connectStream, type Dial } from './connect.ts'
import { InputStream } from './input.ts'
import { endLogger, startLogger } from './logger.ts'
import { type OutputEnd, OutputStream } from './output.ts'
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
    await using owner = new Owner()
    const sinks = await openSinks(request, context, owner)
    const what = `of ${context.containerId}`
    const output = (name: string, sink: Fd | undefined): OutputStream | undefined =>
      sink && new OutputStream(context.nextStreamId(), `${name} ${what}`, sink)
    const input = parseStreamUri(request.stdin)
    const stdin = input.scheme === 'fifo' ? new InputStream(context.nextStreamId(), `stdin ${what}`, input.path) : undefined
    const stdio = new Stdio(request, stdin, output('stdout', sinks.stdout), output('stderr', sinks.stderr), sinks.logger)
    owner.move()
    return stdio
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

  /** Closes everything; a logger gets the time to write what it has. Idempotent. */
  async close(): Promise<void> {
    this.stdin?.close()
    this.stdout?.close()
    this.stderr?.close()
    if (this.logger) await endLogger(this.logger)
  }
}

interface Sinks {
  stdout: Fd | undefined
  stderr: Fd | undefined
  logger?: Child
}

/** Opens stdout and stderr; `owner` owns them until the caller moves it. A terminal has no stderr. */
async function openSinks(request: StdioRequest, context: StdioContext, owner: Owner): Promise<Sinks> {
  const stdoutUri = parseStreamUri(request.stdout)
  const stderrUri: StreamUri = request.terminal ? { scheme: 'none' } : parseStreamUri(request.stderr)
  const binary = [stdoutUri, stderrUri].find(uri => uri.scheme === 'binary')
  if (binary?.scheme === 'binary') return openLogger(binary, stderrUri.scheme === 'none', context, owner)
  const stdout = owned(owner, openSink(stdoutUri))
  // One file for both is opened once: two positions would write over each other where O_APPEND does not hold.
  const shared = stdout && request.stdout === request.stderr && stderrUri.scheme !== 'none'
  return { stdout, stderr: owned(owner, shared ? duplicate(stdout.number, request.stderr) : openSink(stderrUri)) }
}

function owned(owner: Owner, fd: Fd | undefined): Fd | undefined {
  return fd && owner.own(fd.what, fd)
}

async function openLogger(uri: StreamUri & { scheme: 'binary' }, withoutStderr: boolean, context: StdioContext, owner: Owner): Promise<Sinks> {
  const logger = await startLogger({ path: uri.path, arguments: uri.arguments, namespace: context.namespace, containerId: context.containerId, env: context.env })
  owner.own('logger', logger.child)
  if (withoutStderr) logger.stderr.close()
  return { stdout: owned(owner, logger.stdout), stderr: withoutStderr ? undefined : owned(owner, logger.stderr), logger: logger.child }
}

function openSink(uri: StreamUri): Fd | undefined {
  switch (uri.scheme) {
    case 'none':
    case 'binary':
      return undefined
    case 'file':
      makeDirectories(uri.path.slice(0, uri.path.lastIndexOf('/')) || '/')
      return open(uri.path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    case 'fifo':
      // Both ends in one descriptor: the shim always is a reader too, so that a reader's death
      // (a containerd restart) blocks the process at worst and never kills it with EPIPE.
      return (stat(uri.path).mode & S_IFMT) === S_IFIFO
        ? open(uri.path, O_RDWR | O_NONBLOCK)
        : open(uri.path, O_WRONLY | O_APPEND)
  }
}
