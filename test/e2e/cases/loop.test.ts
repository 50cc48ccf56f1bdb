import { afterAll, beforeAll, expect, it } from 'vitest'
import { Container, uniqueId } from '../container.ts'
import { expectNothingLeft, footprint, processesNamed, takeInventory } from '../leaks.ts'
import { forEachLane } from '../matrix.ts'
import type { Lane } from '../matrix.ts'
import { busybox, Stack } from '../stack.ts'

/** KATA_TS_E2E_LOOP sets the count for every lane. By default the newer containerd runs ours a hundred times, and the rest is for comparison. */
const countOf = (lane: Lane): number =>
  Number(process.env['KATA_TS_E2E_LOOP'] ?? (lane.runtime === 'kata-ts' && lane.containerd === '2.1' ? 100 : 25))
const warmUp = 4

forEachLane('in a loop', (lane) => {
  const count = countOf(lane)
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  it(`creates and deletes ${count} containers without growth in processes, mounts, sockets, files, cgroups or containerd's descriptors`, async () => {
    // Two at a time, which is also how two sandboxes are seen not to disturb each other.
    const runMany = async (runs: number): Promise<void> => {
      let left = runs
      const worker = async (): Promise<void> => {
        while (left-- > 0) {
          const id = uniqueId()
          const { code, text, stderr } = await stack.ctr(['run', '--rm', '--runtime', lane.runtimeName, busybox, id, 'echo', id])
          // runc's shim loses the output of a fast process now and then (matrix.ts); growth is what it is the control for here.
          const lost = lane.runtime === 'runc' && text === ''
          expect({ code, text, stderr }).toEqual({ code: 0, text: lost ? '' : `${id}\n`, stderr: '' })
        }
      }
      await Promise.all([worker(), worker()])
    }
    const before = takeInventory(stack)
    await runMany(warmUp)
    await expectNothingLeft(stack, before)
    const daemonBefore = footprint(stack.containerdPid)
    await runMany(count)
    await expectNothingLeft(stack, before)
    // Connections of finished clients are closed asynchronously: wait for the count, do not sample it.
    await expect.poll(() => footprint(stack.containerdPid).fds, { timeout: 20_000 }).toBeLessThanOrEqual(daemonBefore.fds)
  }, 600_000)

  it(`runs ${count} execs without growth in the shim's descriptors, processes or memory`, async () => {
    const container = await Container.create(stack, lane)
    await container.start()
    const [shim] = processesNamed(stack, new RegExp(`containerd-shim-${lane.runtime}-v2.*${container.containerId}`))
    if (shim === undefined) throw new Error('the shim of the container was not found')
    for (let run = 0; run < 20; run++) await container.exec(['true'])
    const inventory = takeInventory(stack)
    const settled = footprint(shim)
    // Go's runtime adds a thread and a poller's descriptor when it likes; ours has one thread and knows its descriptors.
    const slack = lane.runtime === 'runc' ? 5 : 0
    for (let run = 0; run < count; run++) await container.exec(['true'])
    await expectNothingLeft(stack, inventory)
    await expect.poll(() => footprint(shim).fds, { timeout: 20_000 }).toBeLessThanOrEqual(settled.fds + slack)
    expect(footprint(shim).threads).toBeLessThanOrEqual(settled.threads + slack)
    // A heap is not flat to the byte; a leak of 10 KiB an exec would show.
    expect(footprint(shim).rssAnonKib).toBeLessThan(settled.rssAnonKib + 10 * count + 512)
  }, 300_000)
})
