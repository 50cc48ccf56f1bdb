import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Container } from '../container.ts'
import { expectNothingLeft, processesNamed, takeInventory } from '../leaks.ts'
import { forEachLane } from '../matrix.ts'
import type { Runtime } from '../matrix.ts'
import { checkout, Stack } from '../stack.ts'

const notFound = 5 // grpc status code

/** What is killed, by its command line. */
const victims: Record<Runtime, Record<string, RegExp>> = {
  'runc': { 'the shim': /containerd-shim-runc-v2/ },
  'kata-ts': {
    'the shim': /containerd-shim-kata-ts-v2/, 'the VMM': /^\S*qemu-system/, 'virtiofsd': /^\S*virtiofsd/,
    'the vsock daemon': /^\S*vhost-device-vsock/,
  },
}

/** runc's shim leaves sockets and state when it is killed, and runc half-made cgroups. Ours has no such excuse. */
const tolerated: Record<Runtime, RegExp | undefined> = {
  'runc': /^(\/run\/containerd\/(s|runc)\/|\w+\/e2e\/)/, 'kata-ts': undefined,
}

/** How far the container is when the victim dies. Each leaves the container in that phase, or on its way there. */
const phases: Record<string, (container: Container) => Promise<{ answered: Promise<unknown> } | void>> = {
  'while the task is being created': async (container) => {
    // That the client gets an error when the victim dies, or none, is both right here; that it gets no answer is not.
    return { answered: container.createTask().catch(() => undefined) }
  },
  'after create': async (container) => { await container.createTask() },
  'while the process runs': async (container) => {
    await container.createTask()
    await container.start()
  },
  'while an exec runs': async (container) => {
    await container.createTask()
    await container.start()
    const exec = await container.addExec(['sleep', '1000'])
    await exec.start()
  },
}

forEachLane('kill -9', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  for (const [victim, pattern] of Object.entries(victims[lane.runtime])) {
    for (const [phase, reach] of Object.entries(phases)) {
      it(`of ${victim} ${phase} leaves nothing`, async () => {
        const before = takeInventory(stack)
        const container = await Container.prepare(stack, lane)
        const pending = await reach(container)
        let pids: number[] = []
        while (pids.length === 0) {
          pids = processesNamed(stack, pattern)
          await new Promise((resolve) => setImmediate(resolve)) // createTask goes on meanwhile
        }
        for (const pid of pids) killIfThere(pid)
        await pending?.answered
        await forceDelete(container)
        await container.remove()
        // Of a `start` that was killed before it answered containerd knows nothing, so it calls no `delete`. An operator does.
        if (lane.runtime === 'kata-ts' && victim === 'the shim' && phase === 'while the task is being created') {
          // A daemon that was forked already ends by itself.
          await expect.poll(() => processesNamed(stack, pattern), { timeout: 20_000, interval: 100 }).toEqual([])
          deleteByHand(container.containerId)
        }
        await expectNothingLeft(stack, before, tolerated[lane.runtime])
      })
    }
  }

  function deleteByHand(id: string): void {
    const shim = `${checkout}/build/bin/containerd-shim-kata-ts-v2`
    const flags = ['-namespace', 'default', '-id', id, '-address', `${stack.directory}/containerd.sock`, '-bundle', '/no/such/bundle']
    execFileSync('nsenter', ['-t', String(stack.holderPid), '-m', shim, ...flags, 'delete'], { stdio: 'pipe' })
  }

  /** The `start` call of a shim ends by itself at any time. */
  function killIfThere(pid: number): void {
    try { process.kill(pid, 'SIGKILL') } catch { /* ESRCH */ }
  }

  /** What a client does with a task that is in trouble: kill it, then delete it until containerd knows it no more. */
  async function forceDelete(container: Container): Promise<void> {
    await container.kill(9, true).catch(() => undefined)
    const attempt = (): Promise<string> => stack.client.call('tasks.Delete', { container_id: container.containerId }, 20_000)
      .then(() => 'deleted', (error: { code: number; details: string }) => error.code === notFound ? 'deleted' : error.details)
    await expect.poll(attempt, { timeout: 45_000, interval: 100 }).toBe('deleted')
    container.forgetTask()
  }
})
