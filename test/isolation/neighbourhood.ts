/** A pod with an attacker and a neighbour, and a container of the host's kernel beside it: who still answers when something is used up. */
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import { Container } from '../e2e/container.ts'
import type { ContainerOptions } from '../e2e/container.ts'
import type { Spec } from '../e2e/spec.ts'
import { contained, controlRuntime, escaped, isControl, reachedGuest, type Verdict } from './attack.ts'
import { compare, type Figures, hostFigures, machine } from './host-figures.ts'
import { oneLine } from './one-line.ts'
import { install } from './programs.ts'
import type { Site } from './site.ts'

/** Bounds a hang: a container that has not answered by then does not answer. */
const answerLimitMs = 60_000

export interface Around {
  /** What the neighbour in the pod is asked to do once the attacker has all; it must not be of the attacker's kind alone, but need what was used up. */
  ask?: string[]
  /** The same of the container on the host, if the thing is one that it has. */
  askFar?: string[]
  uid?: number
  /** For the two of the pod. */
  spec?: (spec: Spec) => void
  /** Before the attacker runs, in the neighbour: what makes the control weak. */
  prepare?: (near: Container) => Promise<unknown>
  /** For the attacker alone. */
  attackerSpec?: (spec: Spec) => void
}

/**
 * Runs the attacker to «full», or to its death, and asks the others then: the neighbour in the pod, another pod, and a runc container
 * beside it for the host. What the pod costs the host is read before and after, and has bounds where the runtime promises a kernel of its own.
 */
export async function useUp(site: Site, args: string[], around: Around = {}): Promise<Verdict> {
  const layers: string[] = []
  const rootfs = (layer: string): void => {
    layers.push(layer)
    install(layer, 'exhaust')
  }
  const asUser = (spec: Spec): void => { if (around.uid !== undefined) spec.process.user.uid = around.uid }
  const far = await Container.create(site.host, { runtimeName: controlRuntime }, { rootfs, spec: asUser })
  await far.start()
  const pod = await site.pod()
  const options = (more?: (spec: Spec) => void): ContainerOptions => ({ rootfs, spec: (spec) => { asUser(spec); around.spec?.(spec); more?.(spec) } })
  const near = await pod.start(options())
  await around.prepare?.(near)
  const other = isControl(site.runtime) ? undefined : await site.start({ rootfs, spec: asUser })
  const otherPid = other && (await other.state()).pid
  const figures = (): CostsOfPods => ({ attacked: hostFigures(pod.pid, layers), other: otherPid === undefined ? undefined : hostFigures(otherPid, []) })
  const before = figures()
  const attacker = await pod.start({ ...options(around.attackerSpec), args: ['/attack/exhaust', ...args] })
  const said = await attacker.output.until(/full .*/).then(([word]) => word, () => 'killed before it had all')

  // A shell with a pipe: it takes processes, memory and files.
  const usual = ['sh', '-c', 'echo answers | cat /dev/stdin /proc/self/status']
  const farAnswer = await answer(far, around.askFar ?? usual, around.uid)
  const nearAnswer = await answer(near, around.ask ?? usual, around.uid)
  const otherAnswer = other && await answer(other, around.askFar ?? usual, around.uid)
  const { told, beyond } = changes(before, figures())
  const evidence = `attacker: ${said}; neighbour in the pod: ${nearAnswer ?? 'answers'}; ${other ? `other pod: ${otherAnswer ?? 'answers'}; ` : ''}container on the host: ${farAnswer ?? 'answers'}; ${told}; ${machine()}`
  if (farAnswer !== undefined || otherAnswer !== undefined) return escaped(evidence)
  if (nearAnswer !== undefined) return reachedGuest(evidence)
  // A shared kernel's containers are the host's processes, and a control is weak in one thing only.
  return beyond.length > 0 && other && !site.weak ? escaped(`${beyond.join('; ')}; ${evidence}`) : contained(evidence)
}

interface CostsOfPods { attacked: Figures; other: Figures | undefined }

function changes(before: CostsOfPods, after: CostsOfPods): ReturnType<typeof compare> {
  const { told, beyond } = compare(before.attacked, after.attacked)
  // What the other pod costs does not follow from the attack at all.
  const others = before.other && after.other ? compare(before.other, after.other).beyond : []
  return { told, beyond: [...beyond, ...others.map((line) => `the other pod: ${line}`)] }
}

/** Undefined when it does what it is asked to, else why not. */
async function answer(container: Container, args: string[], uid: number | undefined): Promise<string | undefined> {
  const late = new Promise<string>((resolve) => setTimeout(() => resolve('no answer'), answerLimitMs).unref())
  const asked = container.exec(args, { process: (process) => { if (uid !== undefined) process.user.uid = uid } })
    .then(({ status, stderr }) => (status === 0 ? undefined : `exit ${status} ${oneLine(stderr, 80)}`), (error: unknown) => oneLine(String(error), 120))
  return await Promise.race([asked, late])
}

/** A cgroup above both containers of the pod with one limit for both, as a node has it: `controller` and `file` of cgroup v1 or v2. */
export function commonLimit(site: Site, limits: readonly { controller: string; v1: string; v2: string; value: string }[]): (spec: Spec) => void {
  const parent = `isolation-${site.secret.slice(-12)}`
  // After the containers are gone, as hooks run in reverse order. runc makes it in every hierarchy.
  onTestFinished(() => { for (const hierarchy of ['.', ...readdirSync('/sys/fs/cgroup')]) rmdirIfThere(`/sys/fs/cgroup/${hierarchy}/${parent}`) })
  for (const { controller, v1, v2, value } of limits) {
    const isV1 = existsSync(`/sys/fs/cgroup/${controller}`)
    const directory = isV1 ? `/sys/fs/cgroup/${controller}/${parent}` : `/sys/fs/cgroup/${parent}`
    mkdirSync(directory, { recursive: true })
    writeFileSync(`${directory}/${isV1 ? v1 : v2}`, value)
  }
  return (spec) => { spec.linux.cgroupsPath = `/${parent}/${spec.linux.cgroupsPath.split('/').at(-1)}` }
}

function rmdirIfThere(path: string): void {
  if (existsSync(path)) rmdirSync(path)
}
