import * as sys from 'native:sys'
import { SHUT_WR } from '../../../native/ts/constants/socket.ts'
import { Event, HugetlbStats, IoStats, StatsContainerResponse } from '../../../protocol/gen/agent.ts'
import { Response } from '../../../protocol/gen/ttrpc.ts'
import { encode } from '../../../protocol/message.ts'
import { encodeFrame, Flag, MessageType } from '../../../protocol/ttrpc/frame.ts'
import { BinaryWriter } from '../../../protocol/wire.ts'
import type { Behaviour, Call, Hostile } from './hostile.ts'

/** A frame's ten bytes with any length (protocol/ttrpc/frame.ts). */
function header(length: number, streamId: number, type: number, flags = 0): Uint8Array {
  const bytes = new Uint8Array(10)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, length)
  view.setUint32(4, streamId)
  bytes[8] = type
  bytes[9] = flags
  return bytes
}

const mib = 1 << 20
const most64 = 0xffff_ffff_ffff_ffffn
const text = (words: string): Uint8Array => new TextEncoder().encode(words)
const unary = (act: (agent: Hostile, call: Call) => void): Behaviour => ({ at: { StatsContainer: act } })
const events = (act: (agent: Hostile) => void): Behaviour => unary((agent, call) => { act(agent); agent.answer(call.streamId) })

/** `count` times the field `number` with nothing in it: two bytes each, and an object each for whoever decodes them. */
function empties(field: number, count: number): Uint8Array {
  const bytes = new Uint8Array(2 * count)
  for (let at = 0; at < bytes.length; at += 2) bytes[at] = field << 3 | 2
  return bytes
}

function repeated(bytes: Uint8Array, times: number): Uint8Array {
  const all = new Uint8Array(bytes.length * times)
  for (let at = 0; at < times; at++) all.set(bytes, at * bytes.length)
  return all
}

/** Names and words that mean something to a file system, a terminal, a log or a metrics page. */
const poisoned = ['..', '../../../../etc/cron.d/x', '/etc/passwd', 'a\nb', 'a\r\n{"level":"error","msg":"forged"}', '\u001b[2J\u001b]0;owned\u0007', 'a\0b', '\u202etxt.exe', '\u2028', 'x'.repeat(60_000), '']

/** Frames that are none, or on a stream that is none. The shim asks StatsContainer; each ends that call or the connection. */
const frames: Record<string, Behaviour> = {
  'oversize-frame': unary((agent, { streamId }) => agent.raw(header(5 * mib, streamId, MessageType.response), new Uint8Array(5 * mib))),
  'endless-frame': unary((agent, { streamId }) => {
    agent.raw(header(0xffff_ffff, streamId, MessageType.response))
    agent.flood(agent.control, new Uint8Array(64 * 1024), 3200)
  }),
  'length-too-short': unary((agent, { streamId }) => agent.raw(header(3, streamId, MessageType.response), text('and much more that is read as a header of its own'))),
  'length-too-long': unary((agent, { streamId }) => agent.raw(header(60_000, streamId, MessageType.response), new Uint8Array(100))),
  'unknown-stream': unary(agent => agent.raw(encodeFrame(4001, MessageType.response, 0, new Uint8Array(0)))),
  'even-stream': unary(agent => agent.raw(encodeFrame(2, MessageType.data, 0, new Uint8Array(0)))),
  'stream-zero': unary(agent => agent.raw(encodeFrame(0, MessageType.response, 0, new Uint8Array(0)))),
  'reused-streams': unary((agent, { streamId }) => {
    for (let round = 0; round < 2000; round++) agent.answer(1 + 2 * (round % (streamId >> 1)))
    agent.answer(streamId)
  }),
  'answered-twice': unary((agent, { streamId }) => {
    agent.answer(streamId)
    agent.answer(streamId, encode(StatsContainerResponse, { pids: { current: 9n, limit: 9n } }))
    agent.raw(encodeFrame(streamId, MessageType.data, Flag.remoteClosed, new Uint8Array(9)))
  }),
  'stream-for-unary': unary((agent, { streamId }) => agent.raw(encodeFrame(streamId, MessageType.data, 0, new Uint8Array(9)))),
  'request-of-its-own': unary((agent, { streamId }) => agent.raw(encodeFrame(streamId, MessageType.request, Flag.remoteOpen, text('the guest asks')))),
  'unknown-type': unary((agent, { streamId }) => {
    agent.raw(encodeFrame(streamId, 200, 0xff, new Uint8Array(60_000)))
    agent.answer(streamId)
  }),
}

/** Answers that are no protobuf, not the one that was asked for, or too much of it. */
const answers: Record<string, Behaviour> = {
  'broken-envelope': unary((agent, { streamId }) => agent.envelope(streamId, Uint8Array.of(0x12, 0x7f, 1, 2))),
  'broken-message': unary((agent, { streamId }) => agent.answer(streamId, Uint8Array.of(0x0a, 0x7f, 1, 2))),
  'wrong-message': unary((agent, { streamId }) => agent.answer(streamId, encode(Event, { event: { $case: 'oom', value: { containerId: '../..' } } }))),
  'nested-groups': unary((agent, { streamId }) => agent.answer(streamId, new Uint8Array(60_000).fill(0x7b))),
  'million-disks': unary((agent, { streamId }) => agent.answer(streamId, empties(4, mib))),
  'million-page-sizes': unary((agent, { streamId }) => agent.answer(streamId, empties(5, mib))),
  'million-details': unary((agent, { streamId }) => agent.envelope(streamId, new BinaryWriter().uint32(1 << 3 | 2).bytes(empties(3, mib)).finish())),
  'many-disks': unary((agent, { streamId }) => agent.answer(streamId, empties(4, 30_000))),
  'huge-counts': unary((agent, { streamId }) => {
    const huge = { usageUsec: most64, userUsec: most64, systemUsec: most64, nrPeriods: most64, nrThrottled: most64, throttledUsec: most64 }
    agent.answer(streamId, encode(StatsContainerResponse, {
      cpu: huge, pids: { current: most64, limit: most64 }, io: [{ ...IoStats.decode(new Uint8Array(0)), major: 0xffff_ffff, minor: 0xffff_ffff, rbytes: most64 }],
      hugetlb: poisoned.map(pagesize => ({ ...HugetlbStats.decode(new Uint8Array(0)), pagesize: pagesize.slice(0, 1000), usageBytes: most64 })),
    }))
  }),
  'poisoned-error': unary((agent, { streamId }) => agent.envelope(streamId, encode(Response, { status: { code: 14, message: poisoned.join('|'), details: [] } }))),
}

/** No answer, or half of one. */
const silence: Record<string, Behaviour> = {
  'never-answers': unary(() => {}),
  'half-a-header': unary((agent, { streamId }) => agent.raw(header(8, streamId, MessageType.response).subarray(0, 7))),
  'closes-in-a-header': unary((agent, { streamId }) => {
    agent.raw(header(8, streamId, MessageType.response).subarray(0, 7))
    setTimeout(() => agent.hangUp(), 10)
  }),
  'closes': unary(agent => agent.hangUp()),
  'half-open': unary(agent => sys.shutdown(agent.control.fd.number, SHUT_WR)),
  'never-reads': unary(agent => sys.unwatch(agent.control.fd.number)),
  'never-creates': { at: { CreateContainer: () => {} } },
  'never-starts': { at: { StartContainer: () => {} } },
  'never-a-sandbox': { at: { CreateSandbox: () => {} } },
  'closes-at-once': { at: { CreateSandbox: agent => agent.hangUp() } },
  'deaf-to-streams': { deafToStreams: true },
  'closes-streams': { onStream: (_agent, stream) => stream.close() },
  'survives-sigkill': { at: { SignalProcess: (agent, call) => agent.answer(call.streamId) } },
  'sigkill-unanswered': { at: { SignalProcess: () => {} } },
}

/** Everything that may be told of what is not there: each name in each event. */
function tellOf(agent: Hostile, containerId: string): void {
  agent.tell({ $case: 'oom', value: { containerId } })
  agent.exit(containerId, 0)
  agent.exit(containerId, 0, { execId: containerId })
  agent.exit(agent.containerId, 0, { execId: containerId || '..' })
}

/** Events that are lies. `victim`: a container of another sandbox. */
const lies = (victim: string): Record<string, Behaviour> => ({
  'foreign-container': events(agent => tellOf(agent, victim)),
  'poisoned-names': events(agent => { for (const name of poisoned) tellOf(agent, name) }),
  'unknown-event': events(agent => agent.raw(encodeFrame(agent.eventStream, MessageType.data, 0, Uint8Array.of(0xfa, 1, 2, 0, 0)))),
  'broken-event': events(agent => agent.raw(encodeFrame(agent.eventStream, MessageType.data, 0, Uint8Array.of(0x0a, 0x7f, 1)))),
  'impossible-status': events(agent => { for (const status of [256, 1000, 0xffff_ffff]) agent.exit(agent.containerId, status) }),
  'forged-exit': { at: { SignalProcess: (agent, call) => {
    agent.answer(call.streamId)
    agent.endStreams(agent.stdio)
    for (const [status, exitedAtNs] of [[42, most64], [43, 1n]] as const) agent.exit(agent.containerId, status, { pid: 1, exitedAtNs })
  } } },
  'stream-ends': events(agent => { for (const streamId of [0n, 1n, 99n, most64]) for (const bytes of [0n, most64]) agent.tell({ $case: 'streamEnd', value: { streamId, bytes } }) }),
  'event-flood': events(agent => agent.flood(agent.control, repeated(encodeFrame(agent.eventStream, MessageType.data, 0, new Uint8Array(0)), 1000), 400)),
  'oom-flood': events(agent => { for (let round = 0; round < 5000; round++) agent.tell({ $case: 'oom', value: { containerId: agent.containerId } }) }),
})

const line = (agent: Hostile, message: string, fields = '', level = 'error'): void => agent.tell({ $case: 'log', value: { level, message, fields } })

const logs: Record<string, Behaviour> = {
  'log-injection': events(agent => {
    for (const words of poisoned) {
      line(agent, words, words)
      line(agent, words, '{"level":"info","sandbox":"forged"}', words)
    }
  }),
  'log-flood': events(agent => { for (let round = 0; round < 3000; round++) line(agent, `flood ${round} ${'x'.repeat(20_000)}`) }),
}

const noise = new Uint8Array(32 * 1024).fill(0x79)
const outputs: Record<string, Behaviour> = {
  // Goes on writing after the process has ended, and never tells where the output ends.
  'endless-output': { onStream: (agent, stream, id) => { if (id === agent.stdio?.stdoutStream) agent.flood(stream, noise) } },
  'endless-output-with-an-end': {
    onStream: (agent, stream, id) => { if (id === agent.stdio?.stdoutStream) agent.flood(stream, noise) },
    at: { SignalProcess: (agent, call) => {
      agent.answer(call.streamId)
      agent.tell({ $case: 'streamEnd', value: { streamId: agent.stdio?.stdoutStream ?? 0n, bytes: 1n << 52n } })
      agent.exit(agent.containerId, 137)
    } },
  },
  'announced-and-never-sent': { at: { SignalProcess: (agent, call) => {
    agent.answer(call.streamId)
    for (const streamId of [agent.stdio?.stdoutStream, agent.stdio?.stderrStream]) agent.tell({ $case: 'streamEnd', value: { streamId: streamId ?? 0n, bytes: 1_000_000n } })
    agent.exit(agent.containerId, 137)
  } } },
  'fewer-than-sent': {
    onStream: (agent, stream, id) => { if (id === agent.stdio?.stdoutStream) stream.write(new Uint8Array(1000)) },
    at: { SignalProcess: (agent, call) => {
      agent.answer(call.streamId)
      for (const bytes of [10n, most64, 0n]) agent.tell({ $case: 'streamEnd', value: { streamId: agent.stdio?.stdoutStream ?? 0n, bytes } })
      agent.endStreams(agent.stdio)
      agent.exit(agent.containerId, 137)
    } },
  },
}

/** Every attack by its name. */
export const attacks = (victim: string): Record<string, Behaviour> => ({ ...frames, ...answers, ...silence, ...lies(victim), ...logs, ...outputs })
