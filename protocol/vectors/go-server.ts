import type { Any } from '../gen/google/protobuf/any.ts'
import { Status } from '../gen/process.ts'
import { StreamingDefinition } from '../gen/streaming.ts'
import { StateRequest, TaskDefinition } from '../gen/task.ts'
import { TaskDefinition as TaskV2Definition } from '../gen/task-v2.ts'
import { Server } from '../ttrpc/server.ts'
import { Code, RpcError } from '../ttrpc/status.ts'

/** containerd has no service with streams one way only. */
export const oneWayDefinition = {
  name: 'OneWay',
  fullName: 'test.OneWay',
  methods: {
    down: { name: 'Down', requestType: StateRequest, requestStream: false, responseType: StateRequest, responseStream: true, options: {} },
    up: { name: 'Up', requestType: StateRequest, requestStream: true, responseType: StateRequest, responseStream: false, options: {} },
  },
} as const

export const exitedAt = { seconds: 1_700_000_000n, nanos: 123_456_789 }

/** Answers as the Go server of capture/ttrpc.go does. */
export function goServer(): Server {
  const server = new Server()
  server.register(TaskDefinition, {
    state: ({ id, execId }) => {
      if (id !== 'c1') throw new RpcError(Code.NotFound, `container ${id}: not found`)
      return { id, bundle: '/run/b', pid: 4_000_000_000, status: Status.STOPPED, stdout: '/fifo', terminal: true, exitStatus: 137, exitedAt, execId }
    },
    pause: () => ({}),
    resume: () => Promise.reject(new Error('not an RPC error')),
  })
  server.register(TaskV2Definition, { create: ({ rootfs }) => ({ pid: rootfs.length }) })
  server.register(StreamingDefinition, {
    stream: async function* (requests): AsyncGenerator<Any> {
      for await (const any of requests) {
        if (any.typeUrl === 'fail') throw new RpcError(Code.Aborted, 'told to fail')
        yield any
      }
    },
  })
  server.register(oneWayDefinition, {
    down: async function* ({ id }) {
      for (const one of [id, '', 'c']) yield { id: one }
    },
    up: async requests => {
      let all = ''
      for await (const { id } of requests) all += id
      return { id: all }
    },
  })
  return server
}
