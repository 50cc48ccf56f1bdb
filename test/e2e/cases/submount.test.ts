import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { Container } from '../container.ts'
import { temporaryDirectory } from '../directory.ts'
import { gatedFile, GatedFileSystem } from '../gated-file-system.ts'
import { forEachLane } from '../matrix.ts'
import { buildProgram } from '../program.ts'
import type { ProcessSpec } from '../spec.ts'
import { Stack } from '../stack.ts'

/** Time to leave without waiting for the reads, as a guest without the patch does; with it nothing depends on this. */
const headStartMs = 2_000

function administer(process: ProcessSpec): void {
  for (const set of ['bounding', 'effective', 'permitted'] as const) process.capabilities[set] = [...process.capabilities[set], 'CAP_SYS_ADMIN']
}

forEachLane('a file system below a volume', (lane) => {
  let stack: Stack
  let program: string
  beforeAll(() => {
    stack = Stack.open(lane.containerd)
    program = buildProgram('leave-reading')
  })
  afterAll(() => stack.client.close())

  // In a guest it is a submount of virtio-fs. A read's answer that came after the file was closed and the submount gone ended the kernel
  // (guest-image/kernel/patches/virtiofs-close-waits-for-readahead.patch).
  it('is left while reads are on their way', { timeout: 120_000 }, async () => {
    const directory = temporaryDirectory(0o755)
    mkdirSync(`${directory}/slow`)
    const slow = await GatedFileSystem.mount(stack, `${directory}/slow`)
    const container = await Container.create(stack, lane, {
      spec: (spec) => {
        spec.mounts.push(
          { destination: '/data', type: 'bind', source: directory, options: ['rbind'] },
          { destination: '/leave-reading', type: 'bind', source: program, options: ['rbind', 'ro'] })
        administer(spec.process)
      },
    })
    onTestFinished(() => slow.open()) // before the container is removed, which may wait for the reads
    await container.start()
    const leaver = await container.addExec(['/leave-reading', '/data/slow', gatedFile.name], { process: administer })
    await leaver.start()
    await leaver.output.until(/closing\n/)
    await sleep(headStartMs)
    slow.open()
    expect(await leaver.wait()).toBe(0)
    // The exit may be told before the test has read all of the output.
    expect((await leaver.output.complete).toString()).toBe('closing\nunmounting\nunmounted\n')
    expect(slow.reads).toBeGreaterThan(0)
    expect(await container.shell('echo alive')).toBe('alive\n')
  })
})
