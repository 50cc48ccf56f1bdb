/** Our messages against containerd's own: messages.json holds the bytes, this file what they mean. */
import { describe, expect, it } from 'vitest'
import { isAny, packAny, unpackAny } from '../any.ts'
import { BootstrapParams, BootstrapResult, LogLevel } from '../gen/bootstrap.ts'
import { Metrics as MetricsV1 } from '../gen/cgroups-v1.ts'
import { Metrics as MetricsV2 } from '../gen/cgroups-v2.ts'
import * as events from '../gen/events.ts'
import { ForwardRequest } from '../gen/forward.ts'
import { Any } from '../gen/google/protobuf/any.ts'
import { ProcessDetails } from '../gen/process-details.ts'
import { Options } from '../gen/runtime-options.ts'
import * as sandbox from '../gen/sandbox.ts'
import { StreamInit } from '../gen/streaming.ts'
import * as task from '../gen/task.ts'
import { Data, WindowUpdate } from '../gen/transfer.ts'
import { RuntimeInfo } from '../gen/types.ts'
import { decode, encode, type MessageOf, type MessageType } from '../message.ts'
import vectors from './messages.json' with { type: 'json' }

const at = { seconds: 1_700_000_000n, nanos: 123_456_789 }
const all = 2n ** 64n - 1n
const text = (value: string) => new Uint8Array(Buffer.from(value))

/** One vector's meaning; `is` lets TypeScript check the fields by the message's type. */
interface Meaning {
  type: MessageType<object>
  fields: object
}
function is<T extends MessageType<object>>(type: T, fields: MessageOf<T>): Meaning {
  return { type, fields: fields as object } // MessageOf a MessageType<object> is an object
}

const runtimeOptions = packAny('runtimeoptions.v1.Options', Options, { typeUrl: 'kata-ts', configPath: '/etc/x.toml', configBody: Uint8Array.of(255, 0) })
const exit = packAny('containerd.events.TaskExit', events.TaskExit, { containerId: 'c1', id: 'e', pid: 9, exitStatus: 1, exitedAt: at })

const v2: MetricsV2 = {
  pids: { current: 1n, limit: all },
  cpu: {
    usageUsec: 1n << 40n, userUsec: 2n, systemUsec: 3n, nrPeriods: 4n, nrThrottled: 5n, throttledUsec: 6n, nrBursts: 0n, burstUsec: 0n,
    psi: { some: { avg10: 0.5, avg60: 0, avg300: 0, total: 7n }, full: undefined },
  },
  memory: {
    anon: 1n, file: 0n, kernelStack: 0n, slab: 0n, sock: 0n, shmem: 0n, fileMapped: 0n, fileDirty: 0n, fileWriteback: 0n, anonThp: 0n, inactiveAnon: 0n,
    activeAnon: 0n, inactiveFile: 0n, activeFile: 0n, unevictable: 0n, slabReclaimable: 0n, slabUnreclaimable: 17n, pgfault: 0n, pgmajfault: 0n,
    workingsetRefault: 0n, workingsetActivate: 0n, workingsetNodereclaim: 0n, pgrefill: 0n, pgscan: 0n, pgsteal: 0n, pgactivate: 0n, pgdeactivate: 0n,
    pglazyfree: 0n, pglazyfreed: 0n, thpFaultAlloc: 0n, thpCollapseAlloc: 31n, usage: 32n, usageLimit: all, swapUsage: 34n, swapLimit: 35n, maxUsage: 36n,
    swapMaxUsage: 37n, psi: undefined,
  },
  rdma: undefined,
  io: { usage: [{ major: 254n, minor: 1n, rbytes: 2n, wbytes: 3n, rios: 4n, wios: 5n }], psi: undefined },
  hugetlb: [{ current: 1n, max: 2n, pagesize: '2MB', failcnt: 3n }],
  memoryEvents: { low: 1n, high: 2n, max: 3n, oom: 4n, oomKill: 5n, oomGroupKill: 6n },
  network: [{ name: 'eth0', rxBytes: 1n, rxPackets: 2n, rxErrors: 3n, rxDropped: 4n, txBytes: 5n, txPackets: 6n, txErrors: 7n, txDropped: 8n }],
}

const meanings: Record<string, Meaning> = {
  'bootstrap params': is(BootstrapParams, {
    instanceId: 'c1', namespace: 'default', logLevel: LogLevel.LOG_LEVEL_DEBUG, containerdVersion: '2.3.0', containerdTtrpcAddress: '/run/containerd/containerd.sock.ttrpc',
    containerdGrpcAddress: '/run/containerd/containerd.sock', containerdBinary: '/usr/bin/containerd', extensions: [{ value: runtimeOptions }], socketDir: '/run/s',
  }),
  'bootstrap params with an empty socket directory': is(BootstrapParams, {
    instanceId: 'c1', namespace: 'default', logLevel: LogLevel.LOG_LEVEL_INFO, containerdVersion: '', containerdTtrpcAddress: '', containerdGrpcAddress: '',
    containerdBinary: '', extensions: [], socketDir: '',
  }),
  'bootstrap result': is(BootstrapResult, { version: 3, address: 'unix:///run/s/x', protocol: 'ttrpc', capabilities: [], metadata: { k: 'v' }, extensions: [] }),
  'runtime options': is(Any, runtimeOptions),
  'options that parse as bootstrap params': is(Any, { typeUrl: 'runtimeoptions.v1.Options', value: text('\n\x07kata-ts') }),
  'forward': is(ForwardRequest, { envelope: { timestamp: at, namespace: 'default', topic: '/tasks/exit', event: exit } }),
  'create event': is(events.TaskCreate, {
    containerId: 'c1', bundle: '/b', rootfs: [{ type: 'bind', source: '/s', target: '/t', options: ['ro'] }],
    io: { stdin: 'i', stdout: 'o', stderr: 'e', terminal: true }, checkpoint: 'k', pid: 5,
  }),
  'start event': is(events.TaskStart, { containerId: 'c1', pid: 5 }),
  'delete event': is(events.TaskDelete, { containerId: 'c1', pid: 5, exitStatus: 2, exitedAt: at, id: 'e' }),
  'exec added event': is(events.TaskExecAdded, { containerId: 'c1', execId: 'e' }),
  'exec started event': is(events.TaskExecStarted, { containerId: 'c1', execId: 'e', pid: 6 }),
  'out of memory event': is(events.TaskOOM, { containerId: 'c1' }),
  'paused event': is(events.TaskPaused, { containerId: 'c1' }),
  'resumed event': is(events.TaskResumed, { containerId: 'c1' }),
  'checkpointed event': is(events.TaskCheckpointed, { containerId: 'c1', checkpoint: 'k' }),
  'cgroup v2 metrics': is(MetricsV2, v2),
  'delete response': is(task.DeleteResponse, { pid: 42, exitStatus: 255, exitedAt: at }),
  'delete response of a process that never ran': is(task.DeleteResponse, { pid: 0, exitStatus: 0, exitedAt: undefined }),
  'exit before the epoch': is(task.WaitResponse, { exitStatus: 1, exitedAt: { seconds: -62_135_596_800n, nanos: 0 } }),
  'pids with an exec': is(task.PidsResponse, { processes: [{ pid: 1, info: undefined }, { pid: 7, info: packAny('containerd.runc.v1.ProcessDetails', ProcessDetails, { execId: 'e' }) }] }),
  'update': is(task.UpdateTaskRequest, {
    id: 'c1', annotations: { a: '1', b: '2' },
    resources: { typeUrl: 'types.containerd.io/opencontainers/runtime-spec/1/LinuxResources', value: text('{"cpu":{"shares":2}}') },
  }),
  'exec': is(task.ExecProcessRequest, {
    id: 'c1', execId: 'e', terminal: true, stdin: '', stdout: 'fifo', stderr: '', spec: { typeUrl: 'types.containerd.io/opencontainers/runtime-spec/1/Process', value: text('{}') },
  }),
  'sandbox status': is(sandbox.SandboxStatusResponse, { sandboxId: 's', pid: 3, state: 'SANDBOX_READY', info: { k: 'v' }, createdAt: at, exitedAt: undefined, extra: undefined }),
  'create sandbox': is(sandbox.CreateSandboxRequest, { sandboxId: 's', bundlePath: '/b', rootfs: [], options: undefined, netnsPath: '/run/netns/x', annotations: { k: 'v' } }),
  'update sandbox': is(sandbox.UpdateSandboxRequest, {
    sandboxId: 's', resources: undefined, annotations: {}, fields: ['labels', 'extensions'],
    sandbox: {
      sandboxId: 's', runtime: { name: 'r', options: undefined }, spec: undefined, labels: {}, createdAt: undefined, updatedAt: undefined,
      extensions: { e: { typeUrl: 't', value: new Uint8Array() } }, sandboxer: 'shim',
    },
  }),
  'platform': is(sandbox.PlatformResponse, { platform: { os: 'linux', architecture: 'amd64', variant: '', osVersion: '', osFeatures: ['f'] } }),
  'runtime info': is(RuntimeInfo, {
    name: 'io.containerd.kata-ts.v2', version: { version: '1', revision: 'r' }, options: undefined, features: undefined, annotations: { 'containerd.io/runtime-allow-mounts': 'mkdir/*,erofs' },
  }),
  'stream init': is(Any, packAny('containerd.services.streaming.v1.StreamInit', StreamInit, { id: 'c1-stdout' })),
  'stream data': is(Any, packAny('containerd.types.transfer.Data', Data, { data: Uint8Array.of(0, 255) })),
  'stream window': is(Any, packAny('containerd.types.transfer.WindowUpdate', WindowUpdate, { update: -1 })),
}

const bytesOf = (name: string) => new Uint8Array(Buffer.from(vectors.find(vector => vector.name === name)?.hex ?? '', 'hex'))

describe.each(Object.entries(meanings))('%s', (name, { type, fields }) => {
  it('is read as containerd means it', () => {
    expect(decode(type, bytesOf(name))).toEqual(fields)
  })

  it('is written as containerd writes it', () => {
    expect(Buffer.from(encode(type, fields)).toString('hex')).toBe(Buffer.from(bytesOf(name)).toString('hex'))
  })
})

it('every vector has its meaning', () => {
  expect(vectors.map(vector => vector.name).filter(name => !(name in meanings))).toEqual(['cgroup v1 metrics'])
})

it('cgroup v1 metrics are written as containerd writes them', () => {
  const read = decode(MetricsV1, bytesOf('cgroup v1 metrics'))
  expect(read.cpu?.usage?.perCpu).toEqual([1n, 300n])
  expect(read.memory?.totalUnevictable).toBe(32n)
  expect(encode(MetricsV1, read)).toEqual(bytesOf('cgroup v1 metrics'))
})

it('an Any of options can parse as bootstrap params, so parsing alone does not tell them apart', () => {
  const params = decode(BootstrapParams, bytesOf('options that parse as bootstrap params'))
  expect(params.instanceId).toBe('runtimeoptions.v1.Options')
})

it('an Any is recognised with and without a host in its type URL', () => {
  expect(isAny({ typeUrl: 'type.googleapis.com/containerd.events.TaskExit', value: new Uint8Array() }, 'containerd.events.TaskExit')).toBe(true)
  expect(isAny(exit, 'containerd.events.TaskExit')).toBe(true)
  expect(isAny(exit, 'events.TaskExit')).toBe(false)
  expect(isAny(undefined, 'x')).toBe(false)
  expect(unpackAny(events.TaskExit, exit).exitStatus).toBe(1)
})
