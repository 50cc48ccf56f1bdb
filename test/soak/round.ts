/** A round: containers side by side, each through steps at random, then a look at what is left on the host. */
import { checkout } from '../e2e/stack.ts'
import { longErrand, randomErrand, randomInitErrand } from './errands.ts'
import { askWrongly, fillVolume, breakVolume, look, pauseAndResume, runSeveral, update } from './operations.ts'
import { deleteByHand, exhaustDescriptors, fillStateDirectory, jumpGuestClock, killContainerd, lose, losses, stopForAWhile } from './faults.ts'
import type { Life } from './life.ts'
import { partNames, partOf, sendSignal } from './processes.ts'
import { errorOf, messageOf, NoAnswer, pause, within } from './settle.ts'

const steps = { errand: 12, several: 3, background: 4, pause: 3, update: 3, wrong: 4, look: 3, stop: 6, clock: 2, descriptors: 2, 'full volume': 2, 'failing volume': 1, containerd: 2, 'full state': 1 }
type Step = keyof typeof steps
/** What runc, the control, is spared: faults of parts that it has not, and the host's own clock. */
const oursOnly: readonly Step[] = ['stop', 'clock', 'descriptors', 'containerd', 'full state']
/** Others wait: a fault of the node meets no half-made call. */
const alone: readonly Step[] = ['containerd', 'full state']

async function take(life: Life, step: Step): Promise<void> {
  switch (step) {
    case 'errand': return life.run(randomErrand(life.random))
    case 'several': return runSeveral(life)
    case 'background': return life.leaveRunning(longErrand(life.random))
    case 'pause': return pauseAndResume(life)
    case 'update': return update(life)
    case 'wrong': return askWrongly(life)
    case 'look': return look(life)
    case 'stop': return stopForAWhile(life)
    case 'clock': return jumpGuestClock(life)
    case 'descriptors': return exhaustDescriptors(life)
    case 'full volume': return fillVolume(life)
    case 'failing volume': return breakVolume(life)
    case 'containerd': return killContainerd(life)
    case 'full state': return fillStateDirectory(life)
  }
}

/** A life from its creation to its removal. Whatever goes wrong becomes a finding, and what is left is removed by force. */
export async function live(life: Life): Promise<void> {
  const { random, figures } = life
  const plan = life.isControl ? random.weighted({ errand: 3, steps: 6 }) : random.weighted({ errand: 3, steps: 5, loss: 5, 'loss at create': 2 })
  try {
    if (plan === 'errand') await liveAsErrand(life)
    else if (plan === 'loss at create') await loseAtCreate(life)
    else await liveThroughSteps(life, plan === 'loss')
  } catch (error) {
    figures.found(error instanceof NoAnswer ? 'no answer' : 'wrong answer', `${life.where}: ${messageOf(error)}`)
    await errorOf(life.forceDelete())
  }
  const error = await errorOf(life.remove())
  if (error !== undefined) figures.found('wrong answer', `${life.where}: removing: ${messageOf(error)}`)
}

async function liveAsErrand(life: Life): Promise<void> {
  const errand = randomInitErrand(life.random)
  await life.prepare(errand)
  await life.parts.gate.shared(async () => {
    await life.create()
    await life.start()
    await life.finishInit(errand)
  })
}

async function liveThroughSteps(life: Life, isLost: boolean): Promise<void> {
  const { random, parts } = life
  await life.prepare()
  await parts.gate.shared(async () => {
    await life.create()
    await life.start()
    await life.run(randomErrand(random))
    life.rememberDescriptors()
  })
  for (let left = random.between(3, 14); left > 0; left--) {
    const step = random.weighted(steps)
    if (life.isControl && oursOnly.includes(step)) continue
    await (alone.includes(step) ? parts.gate.exclusive(() => take(life, step)) : parts.gate.shared(() => take(life, step)))
  }
  await parts.gate.shared(() => isLost ? loseNow(life) : life.end())
}

async function loseNow(life: Life): Promise<void> {
  await life.collect()
  if (life.random.chance(0.7)) await life.leaveRunning(longErrand(life.random))
  await pause(life.random.between(0, 600))
  // Some faults meet a call that is under way.
  const calling = life.random.chance(0.5) ? errorOf(life.leaveRunning(longErrand(life.random))) : undefined
  const loss = life.random.pick(losses)
  const hangs = loss === 'qemu, stopped for good'
  await lose(life, loss)
  // A call to a VM that is stopped is answered when it is removed.
  if (hangs) await life.endLost({ started: true, hangs })
  const error = await calling
  if (error instanceof NoAnswer) throw error
  await life.endLost({ started: !hangs })
}

/** The part dies while the task is being made. That the client is told an error, or none, is right; no answer is not. */
async function loseAtCreate(life: Life): Promise<void> {
  const part = life.random.pick(partNames)
  await life.prepare()
  await life.parts.gate.shared(async () => {
    life.did('create')
    life.didFault(`killed ${part} at create`)
    const answered = errorOf(life.container.createTask())
    const end = Date.now() + 60_000
    let pids: number[] = []
    while (pids.length === 0 && Date.now() < end) {
      pids = partOf(life.stack, life.id, part)
      await pause(5)
    }
    await pause(life.random.pick([0, 0, 100, 1_000]))
    for (const pid of pids) sendSignal(pid, 'SIGKILL')
    await within(answered, 90_000, `create without ${part}`)
    await life.endLost({ started: false })
    // Of a start that was killed before it answered containerd knows nothing, so it calls no delete: an operator does.
    if (part === 'shim') {
      while (partOf(life.stack, life.id, 'qemu').length > 0) await pause(20)
      deleteByHand(life.stack, checkout, life.id)
    }
  })
}
