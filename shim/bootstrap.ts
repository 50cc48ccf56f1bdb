import * as sys from 'native:sys'
import { Fault } from '../native/ts/fault.ts'
import { isAny } from '../protocol/any.ts'
import { BootstrapParams, BootstrapResult } from '../protocol/gen/bootstrap.ts'
import { Any } from '../protocol/gen/google/protobuf/any.ts'
import { Options } from '../protocol/gen/runtime-options.ts'
import { decode, type MessageType } from '../protocol/message.ts'
import { defaultSocketDir } from './paths.ts'

/** How `start` is answered, and with what it was asked. */
export interface Bootstrap {
  /**
   * `plain`: containerd up to 2.2 reads the address as text (1.6 and 1.7 nothing else); it then speaks
   * version 2 of the task service. `result`: containerd 2.3 and later, a protobuf BootstrapResult.
   */
  answer: 'plain' | 'result'
  socketDir: string
  /** containerd's ttrpc socket for events; empty: publish through `publishBinary`. */
  ttrpcAddress: string
  debug: boolean
  /** Configuration file that the runtime options name (`ctr run --runtime-config-path`, containerd's `ConfigPath`); empty: none. */
  configPath: string
}

export interface BootstrapInput {
  /** All of stdin: BootstrapParams of containerd 2.3, before that the runtime options as an Any, or nothing. */
  stdin: Uint8Array
  namespace: string
  id: string
  /** TTRPC_ADDRESS of the environment. */
  ttrpcAddress: string
  debug: boolean
}

/**
 * Tells the two protocols apart. A legal Any can parse as BootstrapParams (both begin with two
 * strings), so they count as params only when they name this very container and namespace.
 */
export function readBootstrap(input: BootstrapInput): Bootstrap {
  const params = parse(BootstrapParams, input.stdin)
  if (params?.instanceId !== input.id || params.namespace !== input.namespace) {
    return {
      answer: 'plain', socketDir: defaultSocketDir, ttrpcAddress: input.ttrpcAddress, debug: input.debug,
      configPath: configPathOf(parse(Any, input.stdin)),
    }
  }
  return {
    answer: 'result',
    socketDir: params.socketDir || defaultSocketDir,
    ttrpcAddress: params.containerdTtrpcAddress || input.ttrpcAddress,
    // LogLevel counts downwards to the more talkative: debug is -4, trace -8.
    debug: input.debug || params.logLevel <= debugLevel,
    configPath: params.extensions.map(extension => configPathOf(extension.value)).find(path => path !== '') ?? '',
  }
}

/** LOG_LEVEL_DEBUG of bootstrap.proto; an open enum, so it is compared and not matched. */
const debugLevel = -4

/** The path in runtime options of the general kind; runc's options and others say nothing to this shim. */
function configPathOf(options: Any | undefined): string {
  if (!isAny(options, 'runtimeoptions.v1.Options')) return ''
  return parse(Options, options.value)?.configPath ?? ''
}

/** undefined for what is no such message: stdin is one of several, and which is not said. */
function parse<T>(type: MessageType<T>, bytes: Uint8Array): T | undefined {
  if (bytes.length === 0) return undefined
  try {
    return decode(type, bytes)
  } catch {
    return undefined
  }
}

/**
 * What `start` prints: the address of the socket at `path`, in the form that containerd understands.
 *
 * Version 3 says that the sandbox outlives its containers' tasks: containerd then joins them to this socket itself, without a
 * `start` and a `delete` for each, and leaves the end to ShutdownSandbox. That is right with the Sandbox API and nowhere else: with a
 * pause container, version 2 lets containerd notice the death of a shim for each task. 1.7 refuses version 3; it has no such sandboxer.
 */
export function bootstrapAnswer(answer: Bootstrap['answer'], path: string, { sandboxApi }: { sandboxApi: boolean }): Uint8Array {
  const address = `unix://${path}`
  const version = sandboxApi ? 3 : 2
  if (answer === 'plain') return sys.utf8Encode(sandboxApi ? JSON.stringify({ version, address, protocol: 'ttrpc' }) : address)
  const bytes = BootstrapResult.encode({ version, address, protocol: 'ttrpc', capabilities: [], metadata: {}, extensions: [] }).finish()
  // containerd trims white space around the answer before it parses it: a field must not end in any.
  if (/\s$/.test(path)) throw new Fault(`socket path ${JSON.stringify(path)} ends in white space`)
  return bytes
}
