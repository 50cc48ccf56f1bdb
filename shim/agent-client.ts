import { Fault } from '../native/ts/fault.ts'
import {
  AgentDefinition, type ClosePortInputRequest, type CloseStdinRequest, type ConnectPortRequest, type ContainerRequest, type CreateContainerRequest, type CreateSandboxRequest,
  type CreateSandboxResponse, type DeleteContainerRequest, type Event, type ExecProcessRequest, type ResizePtyRequest,
  type ResizeSandboxRequest, type ResizeSandboxResponse,
  type SetVolumeRequest, type SignalProcessRequest, type StatsContainerResponse, type UpdateContainerRequest, type UpdateNetworkRequest,
} from '../protocol/gen/agent.ts'
import { connect, createClient } from '../protocol/ttrpc/client.ts'
import { Code, RemoteError, RpcError } from '../protocol/ttrpc/status.ts'
import type { Connection } from '../protocol/ttrpc/transport.ts'
import { cleanText } from './clean-text.ts'
import { agentAnswerBytesMax, type AgentLimits, defaultAgentLimits } from './agent-limits.ts'

/**
 * The agent as the shim sees it. It answers over a connection that it dialled itself:
 *
 *   shim                                agent (guest, hostile)
 *    │ ◀──────────── connects ────────────│
 *    │ ── Events ─────────────────────────▶ │  stays open: exits, stream ends, OOM, log lines
 *    │ ── CreateSandbox ──────────────────▶ │
 *    │ ── CreateContainer, Start, Exec … ─▶ │
 *
 * Every answer has a limit in time here and in size in the ttrpc client; its text is cut and cleaned
 * before anyone sees it, and none of it names a path, pid or number that the host then uses.
 */
export class AgentClient {
  readonly #link: ReturnType<typeof connect>
  readonly #client

  /** Takes ownership of the control connection. */
  constructor(control: Connection, private readonly limits: AgentLimits = defaultAgentLimits) {
    this.#link = connect(control, { answerBytesMax: agentAnswerBytesMax })
    this.#client = createClient(AgentDefinition, this.#link)
  }

  /** Ends the connection; pending calls reject. */
  [Symbol.dispose](): void {
    this.#link.close()
  }

  /** Hands each event to `receive`, in order; `ended` is called once when there are no more, with the error if there was one. */
  events(receive: (event: Event) => void, ended: (error: Error | undefined) => void): void {
    const read = async (): Promise<void> => {
      for await (const event of this.#client.events({})) receive(event)
    }
    read().then(() => ended(undefined), (cause: unknown) => ended(agentError('Events', cause)))
  }

  createSandbox(request: CreateSandboxRequest): Promise<CreateSandboxResponse> {
    return bounded('CreateSandbox', this.limits.createMs, options => this.#client.createSandbox(request, options))
  }

  async destroySandbox(): Promise<void> {
    await bounded('DestroySandbox', this.limits.callMs, options => this.#client.destroySandbox({}, options))
  }

  async createContainer(request: CreateContainerRequest): Promise<void> {
    await bounded('CreateContainer', this.limits.createMs, options => this.#client.createContainer(request, options))
  }

  async startContainer(request: ContainerRequest): Promise<void> {
    await bounded('StartContainer', this.limits.createMs, options => this.#client.startContainer(request, options))
  }

  async deleteContainer(request: DeleteContainerRequest): Promise<void> {
    await bounded('DeleteContainer', this.limits.callMs, options => this.#client.deleteContainer(request, options))
  }

  async pauseContainer(request: ContainerRequest): Promise<void> {
    await bounded('PauseContainer', this.limits.callMs, options => this.#client.pauseContainer(request, options))
  }

  async resumeContainer(request: ContainerRequest): Promise<void> {
    await bounded('ResumeContainer', this.limits.callMs, options => this.#client.resumeContainer(request, options))
  }

  async updateContainer(request: UpdateContainerRequest): Promise<void> {
    await bounded('UpdateContainer', this.limits.callMs, options => this.#client.updateContainer(request, options))
  }

  statsContainer(request: ContainerRequest): Promise<StatsContainerResponse> {
    return bounded('StatsContainer', this.limits.callMs, options => this.#client.statsContainer(request, options))
  }

  statsSandbox(): Promise<StatsContainerResponse> {
    return bounded('StatsSandbox', this.limits.callMs, options => this.#client.statsSandbox({}, options))
  }

  resizeSandbox(request: ResizeSandboxRequest): Promise<ResizeSandboxResponse> {
    return bounded('ResizeSandbox', this.limits.createMs, options => this.#client.resizeSandbox(request, options))
  }

  async execProcess(request: ExecProcessRequest): Promise<void> {
    await bounded('ExecProcess', this.limits.createMs, options => this.#client.execProcess(request, options))
  }

  async signalProcess(request: SignalProcessRequest): Promise<void> {
    await bounded('SignalProcess', this.limits.callMs, options => this.#client.signalProcess(request, options))
  }

  async resizePty(request: ResizePtyRequest): Promise<void> {
    await bounded('ResizePty', this.limits.callMs, options => this.#client.resizePty(request, options))
  }

  async closeStdin(request: CloseStdinRequest): Promise<void> {
    await bounded('CloseStdin', this.limits.callMs, options => this.#client.closeStdin(request, options))
  }

  async updateNetwork(request: UpdateNetworkRequest): Promise<void> {
    await bounded('UpdateNetwork', this.limits.createMs, options => this.#client.updateNetwork(request, options))
  }

  async connectPort(request: ConnectPortRequest): Promise<void> {
    await bounded('ConnectPort', this.limits.callMs, options => this.#client.connectPort(request, options))
  }

  async closePortInput(request: ClosePortInputRequest): Promise<void> {
    await bounded('ClosePortInput', this.limits.callMs, options => this.#client.closePortInput(request, options))
  }

  async releaseDisk(pciPath: string): Promise<void> {
    await bounded('ReleaseDisk', this.limits.callMs, options => this.#client.releaseDisk({ pciPath }, options))
  }

  async setVolume(request: SetVolumeRequest): Promise<void> {
    await bounded('SetVolume', this.limits.callMs, options => this.#client.setVolume(request, options))
  }

  async removeVolume(name: string): Promise<void> {
    await bounded('RemoveVolume', this.limits.callMs, options => this.#client.removeVolume({ name }, options))
  }

  /** Resolves with the agent's next answer, whatever it says: what it had to tell before was told by then. Rejects when none comes. */
  async pulse(): Promise<void> {
    await bounded('ListProcesses', this.limits.callMs, options => this.#client.listProcesses({ containerId: '' }, options))
      .catch((error: unknown) => { if (!(error instanceof AgentError && error.code === Code.NotFound)) throw error })
  }

  async setClock(realtimeNs: bigint): Promise<void> {
    await bounded('SetClock', this.limits.callMs, options => this.#client.setClock({ realtimeNs }, options))
  }
}

async function bounded<T>(method: string, timeoutMs: number, call: (options: { timeoutMs: number }) => Promise<T>): Promise<T> {
  try {
    return await call({ timeoutMs })
  } catch (cause) {
    throw agentError(method, cause)
  }
}

/**
 * What the agent may tell containerd through us; every other code of a hostile guest becomes Unknown. Whether it is there
 * and in time (Unavailable, DeadlineExceeded) is for the shim to say: containerd draws conclusions about the shim from it.
 */
const passedCodes: readonly Code[] = [Code.NotFound, Code.AlreadyExists, Code.FailedPrecondition, Code.InvalidArgument, Code.ResourceExhausted]

const maxMessageCharacters = 2000

/** A call to the agent that failed: its text is the agent's, cut and without control characters. */
export class AgentError extends Fault {
  override readonly name: string = 'AgentError'

  constructor(readonly code: Code, what: string) {
    super(what)
  }
}

function agentError(method: string, cause: unknown): Error {
  if (!(cause instanceof RpcError)) return new Fault(`agent ${method}`, { cause })
  const text = cleanText(cause.message, maxMessageCharacters)
  if (!(cause instanceof RemoteError)) return new AgentError(cause.code, `agent ${method}: ${text}`)
  return new AgentError(passedCodes.includes(cause.code) ? cause.code : Code.Unknown, text)
}
