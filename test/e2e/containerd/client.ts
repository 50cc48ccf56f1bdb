/** containerd's gRPC API as these tests need it: what ctr cannot express (own FIFOs, own specs, exact errors). */
import { credentials, loadPackageDefinition, makeGenericClientConstructor, Metadata } from '@grpc/grpc-js'
import type { ClientReadableStream, ServiceDefinition, ServiceError } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { PackageDefinition } from '@grpc/proto-loader'

/** google.protobuf.Any as the wire has it: containerd's JSON-valued types do not fit proto-loader's own Any. */
export interface Any { type_url: string; value: Buffer }
export interface Mount { type: string; source: string; target: string; options: string[] }
export interface TaskProcess { pid: number; status: 'UNKNOWN' | 'CREATED' | 'RUNNING' | 'STOPPED' | 'PAUSED' | 'PAUSING'; exit_status: number }
export interface ContainerEvent { topic: string; containerId: string; execId: string }

interface Calls {
  'containers.Create': [{ container: unknown }, unknown]
  'containers.Delete': [{ id: string }, unknown]
  'snapshots.Prepare': [{ snapshotter: string; key: string; parent: string }, { mounts: Mount[] }]
  'snapshots.Remove': [{ snapshotter: string; key: string }, unknown]
  'tasks.Create': [{
    container_id: string; rootfs: Mount[]; stdin: string; stdout: string; stderr: string; terminal: boolean
  }, { pid: number }]
  'tasks.Start': [{ container_id: string; exec_id: string }, { pid: number }]
  'tasks.Get': [{ container_id: string; exec_id: string }, { process: TaskProcess }]
  'tasks.Wait': [{ container_id: string; exec_id: string }, { exit_status: number; exited_at: { seconds: string; nanos: number } | null }]
  'tasks.Delete': [{ container_id: string }, { exit_status: number }]
  'tasks.DeleteProcess': [{ container_id: string; exec_id: string }, { exit_status: number }]
  'tasks.Kill': [{ container_id: string; exec_id: string; signal: number; all: boolean }, unknown]
  'tasks.Exec': [{
    container_id: string; exec_id: string; stdin: string; stdout: string; stderr: string; terminal: boolean; spec: Any
  }, unknown]
  'tasks.ResizePty': [{ container_id: string; exec_id: string; width: number; height: number }, unknown]
  'tasks.CloseIO': [{ container_id: string; exec_id: string; stdin: boolean }, unknown]
  'tasks.Pause': [{ container_id: string }, unknown]
  'tasks.Resume': [{ container_id: string }, unknown]
  'tasks.Checkpoint': [{ container_id: string }, unknown]
  'tasks.ListPids': [{ container_id: string }, { processes: { pid: number }[] }]
  'tasks.Update': [{ container_id: string; resources: Any }, unknown]
  'events.Publish': [{ topic: string; event: Any }, unknown]
  'tasks.Metrics': [{ filters: string[] }, { metrics: { id: string; data: Any }[] }]
}

const definitions: PackageDefinition = loadSync(
  ['containers', 'snapshots', 'tasks', 'events'].map((name) => `${import.meta.dirname}/${name}.proto`),
  { keepCase: true, longs: String, enums: String, defaults: true, includeDirs: [import.meta.dirname] },
)
loadPackageDefinition(definitions)

function serviceOf(name: string): ServiceDefinition {
  const full = `containerd.services.${name}.v1.${name.charAt(0).toUpperCase()}${name.slice(1)}`
  return definitions[full] as ServiceDefinition // the loader's map mixes services with messages; this name is a service
}

/** One connection to one containerd; `namespace` is containerd's, not Linux's. */
export class ContainerdClient {
  readonly #clients = new Map<string, InstanceType<ReturnType<typeof makeGenericClientConstructor>>>()
  constructor(private readonly address: string, private readonly namespace: string) {}

  #client(service: string): InstanceType<ReturnType<typeof makeGenericClientConstructor>> {
    let client = this.#clients.get(service)
    if (client === undefined) {
      const constructor = makeGenericClientConstructor(serviceOf(service), service)
      client = new constructor(`unix://${this.address}`, credentials.createInsecure(), { 'grpc.default_authority': 'localhost' })
      this.#clients.set(service, client)
    }
    return client
  }

  #metadata(): Metadata {
    const metadata = new Metadata({ waitForReady: true })
    metadata.set('containerd-namespace', this.namespace)
    return metadata
  }

  /** Calls `service.Method`; rejects with grpc-js's ServiceError, whose `details` is containerd's own message. */
  call<Name extends keyof Calls>(name: Name, request: Calls[Name][0], timeoutMs = 60_000): Promise<Calls[Name][1]> {
    const [service, method] = name.split('.') as [string, string] // every key of Calls has exactly one dot
    const definition = serviceOf(service)[method]
    if (definition === undefined) throw new Error(`no method ${name}`)
    return new Promise((resolve, reject) => {
      this.#client(service).makeUnaryRequest(
        definition.path, definition.requestSerialize, definition.responseDeserialize, request, this.#metadata(),
        { deadline: Date.now() + timeoutMs },
        (error: ServiceError | null, response?: unknown) => {
          if (error !== null) reject(error)
          else resolve(response as Calls[Name][1]) // Calls pairs each method with its own response message
        })
    })
  }

  /** Name of the committed snapshot that the only image of the stack unpacks to. */
  async baseSnapshot(): Promise<string> {
    for await (const page of this.#stream('snapshots', 'List', { snapshotter: 'overlayfs' })) {
      const { info } = page as { info: { name: string; kind: number }[] } // ListSnapshotsResponse
      const committed = info.find((snapshot) => snapshot.kind === 3)
      if (committed !== undefined) return committed.name
    }
    throw new Error('the stack has no unpacked image')
  }

  /**
   * Starts to record task events; resolves when containerd delivers them. A subscription is not acknowledged, so
   * an event of our own is published until it comes back.
   */
  async recordEvents(): Promise<EventRecord> {
    const record = new EventRecord(this.#stream('events', 'Subscribe', { filters: ['topic~=^/tasks/'] }))
    const probe = { topic: '/tasks/probe', event: { type_url: 'probe', value: Buffer.from([0x0a, 1, 0x70]) } }
    const seen = record.until('/tasks/probe', 'p').then(() => true)
    do await this.call('events.Publish', probe)
    while (!await Promise.race([seen, new Promise<false>((resolve) => setTimeout(() => resolve(false), 20))]))
    return record
  }

  #stream(service: string, method: string, request: unknown): ClientReadableStream<unknown> {
    const definition = serviceOf(service)[method]
    if (definition === undefined) throw new Error(`no method ${service}.${method}`)
    return this.#client(service).makeServerStreamRequest(
      definition.path, definition.requestSerialize, definition.responseDeserialize, request, this.#metadata())
  }

  close(): void {
    for (const client of this.#clients.values()) client.close()
    this.#clients.clear()
  }
}

/** Task events in the order containerd published them. */
export class EventRecord {
  readonly all: ContainerEvent[] = []
  readonly #waiting = new Set<() => void>()
  constructor(private readonly stream: ClientReadableStream<unknown>) {
    stream.on('error', () => undefined) // the cancellation that close() causes
    stream.on('data', (envelope: { topic: string; namespace: string; event: Any }) => {
      this.all.push(eventOf(envelope))
      for (const check of this.#waiting) check()
    })
  }

  of(containerId: string): ContainerEvent[] { return this.all.filter((event) => event.containerId === containerId) }

  /** Resolves with the first event of `topic` for the container, past or future. The test's timeout bounds it. */
  until(topic: string, containerId: string, execId?: string): Promise<ContainerEvent> {
    return new Promise((resolve) => {
      const check = (): void => {
        const found = this.all.find((event) => event.topic === topic && event.containerId === containerId &&
          (execId === undefined || event.execId === execId))
        if (found === undefined) return
        this.#waiting.delete(check)
        resolve(found)
      }
      this.#waiting.add(check)
      check()
    })
  }

  close(): void { this.stream.cancel() }
}

/** container_id is field 1 of every task event; the exec's id is field 2 of those that concern a process. */
function eventOf({ topic, event }: { topic: string; event: Any }): ContainerEvent {
  const [containerId, afterId] = stringField(event.value, 0, 1)
  const namesProcess = /\/(exec-added|exec-started|exit)$/.test(topic)
  return { topic, containerId, execId: namesProcess ? stringField(event.value, afterId, 2)[0] : '' }
}

/** Reads string field `number` (< 16, shorter than 128 bytes) at `offset`; returns it and the offset behind it. */
function stringField(message: Buffer, offset: number, number: number): [string, number] {
  if (message[offset] !== (number << 3 | 2)) return ['', offset]
  const end = offset + 2 + (message[offset + 1] ?? 0)
  return [message.toString('utf8', offset + 2, end), end]
}
