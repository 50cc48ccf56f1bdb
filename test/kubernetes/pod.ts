/** One pod of a test: made, waited for, asked, and removed when the test ends. */
import { onTestFinished } from 'vitest'
import { Cluster } from './cluster.ts'
import type { Manifest, Outcome } from './cluster.ts'
import type { Runtime } from './lanes.ts'

export const busybox = 'docker.io/library/busybox:latest'

export interface PodShape {
  /** The pod's spec but for what every pod here has; containers get image and pull policy where they say nothing. */
  spec: Record<string, unknown> & { containers: readonly Container[]; initContainers?: readonly Container[] }
  labels?: Record<string, string>
  annotations?: Record<string, string>
  /** Objects the pod needs: applied before it and removed after it. */
  with?: readonly Manifest[]
}
export type Container = Readonly<Record<string, unknown>> & { readonly name: string }

/** How long a pod may take to come to a state: emulated guests on a loaded machine are slow. */
const patience = Number(process.env['KATA_TS_KUBERNETES_PATIENCE'] ?? 180)

let count = 0

/** A container that waits for its end and ends at once when it is told to. */
export const idle = (name = 'main', more: Record<string, unknown> = {}): Container =>
  ({ name, command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1000 & wait; done'], ...more })
/** A container that runs a script. */
export const script = (text: string, name = 'main', more: Record<string, unknown> = {}): Container =>
  ({ name, command: ['sh', '-c', text], ...more })

export function uniqueName(runtime: Runtime, of: string): string { return `${of}-${runtime === 'runc' ? 'runc' : 'kata'}-${process.pid}-${++count}` }

export function podManifest(runtime: Runtime, name: string, shape: PodShape): Manifest {
  const filled = (container: Container): Container => ({ image: busybox, imagePullPolicy: 'IfNotPresent', ...container })
  const { containers, initContainers, ...rest } = shape.spec
  return {
    apiVersion: 'v1', kind: 'Pod',
    metadata: { name, labels: { test: name, ...shape.labels }, annotations: shape.annotations },
    spec: {
      ...(runtime === 'kata-ts' ? { runtimeClassName: 'kata-ts' } : {}),
      terminationGracePeriodSeconds: 5, enableServiceLinks: false, automountServiceAccountToken: false,
      ...rest,
      containers: containers.map(filled), ...(initContainers === undefined ? {} : { initContainers: initContainers.map(filled) }),
    },
  }
}

export class Pod {
  private constructor(readonly cluster: Cluster, readonly name: string, readonly runtime: Runtime) {}

  /** Applies the pod and returns at once. Call it inside a test: the pod is removed when that test ends. */
  static async apply(cluster: Cluster, runtime: Runtime, of: string, shape: PodShape): Promise<Pod> {
    const name = uniqueName(runtime, of)
    const manifests = [...(shape.with ?? []), podManifest(runtime, name, shape)]
    const pod = new Pod(cluster, name, runtime)
    onTestFinished(async ({ task }) => {
      if (task.result?.state === 'fail') console.error(await pod.story())
      const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [...manifests].reverse() })
      const { code, stderr } = await cluster.try(['delete', '--ignore-not-found', '--wait', '--timeout=120s', '-f', '-'], { stdin })
      if (code !== 0) throw new Error(`the pod did not go: ${stderr}\n${await pod.story()}`)
    })
    await cluster.apply(...manifests)
    return pod
  }

  /** As apply, and returns when every container is ready. */
  static async ready(cluster: Cluster, runtime: Runtime, of: string, shape: PodShape): Promise<Pod> {
    const pod = await Pod.apply(cluster, runtime, of, shape)
    await pod.until('condition=Ready')
    return pod
  }

  /** Waits for what `kubectl wait --for` names; throws with the pod's story. */
  async until(what: string, seconds = patience): Promise<void> {
    const { code, stderr } = await this.cluster.try(['wait', `pod/${this.name}`, `--for=${what}`, `--timeout=${seconds}s`])
    if (code !== 0) throw new Error(`${this.name} did not come to ${what}: ${stderr}\n${await this.story()}`)
  }

  /** Waits for the end of a pod that does not restart. */
  finished(phase: 'Succeeded' | 'Failed'): Promise<void> { return this.until(`jsonpath={.status.phase}=${phase}`) }

  /** A field of the pod, for example '.status.podIP'. */
  field(path: string): Promise<string> { return this.cluster.field(`pod/${this.name}`, path) }

  try(args: readonly string[], container?: string, stdin?: string | Buffer): Promise<Outcome> {
    return this.cluster.try(['exec', ...(stdin === undefined ? [] : ['-i']), this.name, ...(container === undefined ? [] : ['-c', container]), '--', ...args],
      stdin === undefined ? {} : { stdin })
  }

  /** Runs a script in a container and returns its output, without the last newline; throws when it fails. */
  async shell(text: string, container?: string): Promise<string> {
    const { code, stdout, stderr } = await this.try(['sh', '-c', text], container)
    if (code !== 0) throw new Error(`exit ${code} of: ${text}\n${stdout}${stderr}`)
    return stdout.replace(/\n$/, '')
  }
  async logs(container?: string, ...flags: readonly string[]): Promise<string> {
    return this.cluster.kubectl('logs', this.name, ...(container === undefined ? [] : ['-c', container]), ...flags)
  }

  /** The messages of the pod's events, oldest first. */
  async events(): Promise<string[]> {
    const text = await this.cluster.kubectl('get', 'events', '--field-selector', `involvedObject.name=${this.name}`, '-o', 'jsonpath={range .items[*]}{.reason}: {.message}{"\\n"}{end}')
    return text.split('\n').filter(Boolean)
  }

  /** What a person would look at first. */
  async story(): Promise<string> {
    return (await this.cluster.try(['describe', 'pod', this.name])).stdout
  }
}

/** Calls `look` until it returns something else than undefined; throws with what `what` names when that takes too long. */
export async function eventually<Value>(what: string, look: () => Promise<Value | undefined>, seconds = patience): Promise<Value> {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}
