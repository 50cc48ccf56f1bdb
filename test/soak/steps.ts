/** What a container goes through between its creation and its end, each step chosen at random. */
import { randomErrand, randomInitErrand, longErrand } from './errands.ts'
import { exhaustDescriptors, fillStateDirectory, jumpGuestClock, killContainerd, stopForAWhile } from './faults.ts'
import type { Life } from './life.ts'
import { askWrongly, breakVolume, fillVolume, look, pauseAndResume, runSeveral, update } from './operations.ts'

const steps = { errand: 12, several: 3, background: 4, pause: 3, update: 3, wrong: 4, look: 3, stop: 6, clock: 2, descriptors: 2, 'full volume': 2, 'failing volume': 1, containerd: 2, 'full state': 1 }
type Step = keyof typeof steps
/** What runc, the control, is spared: faults of parts that it has not, and the host's own clock. */
const oursOnly: readonly Step[] = ['stop', 'clock', 'descriptors', 'containerd', 'full state']

/** Others wait: a fault of the node meets no half-made call, and one that calls are refused for none of a neighbour in the pod. */
const isTakenAlone = (life: Life, step: Step): boolean => step === 'containerd' || step === 'full state' || (step === 'descriptors' && !life.isAlone)

function take(life: Life, step: Step): Promise<void> {
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

/** Creates, starts and takes between `least` and `most` steps; the container runs afterwards. */
export async function takeSteps(life: Life, least: number, most: number): Promise<void> {
  const { random, parts } = life
  await life.prepare()
  await parts.gate.shared(async () => {
    await life.create()
    await life.start()
    await life.run(randomErrand(random))
    // Of a pod's shim neighbours have some.
    if (life.isAlone) life.rememberDescriptors()
  })
  for (let left = random.between(least, most); left > 0; left--) {
    const step = random.weighted(steps)
    if (life.isControl && oursOnly.includes(step)) continue
    await (isTakenAlone(life, step) ? parts.gate.exclusive(() => take(life, step)) : parts.gate.shared(() => take(life, step)))
  }
}

/** The container's first process is the errand, as a job's is. `done` follows before containerd can be killed. */
export async function liveAsErrand(life: Life, done?: () => void): Promise<void> {
  const errand = randomInitErrand(life.random)
  await life.prepare(errand)
  await life.parts.gate.shared(async () => {
    await life.create()
    await life.start()
    await life.finishInit(errand)
    done?.()
  })
}
