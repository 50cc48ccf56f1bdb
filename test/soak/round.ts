/** A round: containers and pods side by side, each through steps at random, then a look at what is left on the host. */
import { checkout } from '../e2e/stack.ts'
import { longErrand } from './errands.ts'
import { deleteByHand, lose, losses } from './faults.ts'
import type { Life } from './life.ts'
import { livePod } from './pod.ts'
import { partNames, partOf, sendSignal } from './processes.ts'
import { errorOf, NoAnswer, pause, within } from './settle.ts'
import { liveAsErrand, takeSteps } from './steps.ts'

/** A life from its creation to its removal. */
export async function live(life: Life): Promise<void> {
  const plan = life.isControl ? life.random.weighted({ errand: 3, steps: 6, pod: 2 }) : life.random.weighted({ errand: 3, steps: 5, loss: 5, 'loss at create': 2, pod: 5 })
  await life.live(() => {
    switch (plan) {
      case 'errand': return liveAsErrand(life)
      case 'loss at create': return loseAtCreate(life)
      case 'pod': return livePod(life)
      case 'steps': return liveThroughSteps(life, false)
      case 'loss': return liveThroughSteps(life, true)
    }
  })
}

async function liveThroughSteps(life: Life, isLost: boolean): Promise<void> {
  await takeSteps(life, 3, 14)
  await life.parts.gate.shared(() => isLost ? loseNow(life) : life.end())
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
