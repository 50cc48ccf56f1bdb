/**
 * A pod: one container stands for the sandbox, as containerd's CRI makes it; the others live beside each other in its VM, come
 * and go, and are each held to the model like a container alone. What is lost is lost for all of them at once.
 */
import { longErrand } from './errands.ts'
import { lose, losses } from './faults.ts'
import { Life } from './life.ts'
import { allOf, errorOf, NoAnswer, pause } from './settle.ts'
import { liveAsErrand, takeSteps } from './steps.ts'

export async function livePod(pod: Life): Promise<void> {
  const { random, parts } = pod
  pod.figures.pods++
  await pod.prepareSandbox()
  await parts.gate.shared(async () => {
    await pod.create()
    await pod.start()
  })
  // What the first container of a pod makes for all of them (its share) stays; from then on each takes all with it. A shim whose
  // containerd was just killed lacks the two connections with it, which are no measure.
  await liveInPod(pod, memberOf(pod), (member) => liveAsErrand(member, () => pod.rememberDescriptors()))
  // Chosen before they go on beside each other, so that a seed always chooses the same.
  const isLost = random.chance(0.4) && !pod.isControl
  const places = Array.from({ length: random.between(2, 3) }, () =>
    Array.from({ length: random.between(1, 2) }, () => ({ member: memberOf(pod), way: random.chance(0.3) ? (life: Life) => liveAsErrand(life) : liveToTheEnd })))
  await Promise.all(places.map(async (place) => {
    for (const { member, way } of place) await liveInPod(pod, member, way)
  }))
  await (isLost ? loseWithMembers(pod) : parts.gate.shared(() => pod.end()))
}

/** A container of the pod, from its creation to its removal. Its history becomes part of the pod's. */
async function liveInPod(pod: Life, member: Life, way: (member: Life) => Promise<void>): Promise<void> {
  await member.live(() => way(member))
  tell(pod, member)
}

async function liveToTheEnd(member: Life): Promise<void> {
  await takeSteps(member, 2, 7)
  await member.parts.gate.shared(() => member.end())
}

/** Two containers run, and perhaps a third is being made, when a part of their sandbox is lost. Each is told in time, and none that it ended well. */
async function loseWithMembers(pod: Life): Promise<void> {
  const members = [memberOf(pod), memberOf(pod)]
  const newcomer = pod.random.chance(0.4) ? memberOf(pod) : undefined
  const all = newcomer === undefined ? members : [...members, newcomer]
  try {
    await allOf([...members.map((member) => takeSteps(member, 0, 3)), newcomer?.prepare() ?? Promise.resolve()])
    await pod.parts.gate.shared(() => loseAll(pod, members, newcomer))
  } catch (error) {
    await Promise.all(all.map((member) => errorOf(pod.parts.gate.shared(() => member.forceDelete()))))
    throw error
  } finally {
    // What the removal comes to is a finding of its own, and hides no other.
    await Promise.all(all.map((member) => member.live(() => Promise.resolve())))
    for (const member of all) tell(pod, member)
  }
}

async function loseAll(pod: Life, members: readonly Life[], newcomer: Life | undefined): Promise<void> {
  const { random } = pod
  await allOf(members.map(async (member) => {
    await member.collect()
    if (member.random.chance(0.7)) await member.leaveRunning(longErrand(member.random))
  }))
  await pause(random.between(0, 600))
  const caller = random.pick(members)
  // A call meets the loss, or goes before it.
  const calling = newcomer !== undefined ? errorOf(newcomer.create()) : random.chance(0.5) ? errorOf(caller.leaveRunning(longErrand(random))) : undefined
  const loss = random.pick(losses)
  const hangs = loss === 'qemu, stopped for good'
  await lose(caller, loss)
  // As kubelet does: the containers end beside each other, then the sandbox. What hangs ends with the first that is removed.
  if (hangs) await allOf(members.map((member) => member.endLost({ started: true, hangs })))
  const error = await calling
  if (error instanceof NoAnswer) throw error
  await allOf(members.map((member) => member.endLost({ started: !hangs })))
  await newcomer?.endLost({ started: false })
  await pod.endLost({ started: true })
}

function memberOf(pod: Life): Life {
  pod.figures.container(pod.isControl)
  return new Life({ ...pod.parts, random: pod.random.fork(), pod })
}

function tell(pod: Life, member: Life): void { pod.history.push(`(${member.history.join(' → ')})`) }
