/** What every test of pods needs of its lane: CRI, and pods that go with the test. */
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { idPrefix } from '../leaks.ts'
import type { Lane } from '../matrix.ts'
import { Stack } from '../stack.ts'
import { CriClient } from './client.ts'
import { Pod, type PodOptions } from './pod.ts'
import { openCri } from './stack.ts'

/** Set in `beforeAll` of the block that made it. */
export class CriLane {
  stack!: Stack
  cri!: CriClient

  /** Call it where a `describe` block begins. */
  constructor(lane: Lane) {
    beforeAll(async () => {
      this.stack = Stack.open(lane.containerd)
      this.cri = await openCri(this.stack)
    })
    afterAll(() => {
      this.cri.close()
      this.stack.client.close()
    })
  }

  /** RunPodSandbox; removed when the test ends. */
  async run(options: Omit<PodOptions, 'prefix'>): Promise<Pod> {
    const pod = await Pod.run(this.cri, { prefix: idPrefix, ...options })
    onTestFinished(() => pod.remove())
    return pod
  }
}
