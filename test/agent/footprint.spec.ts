import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Code } from '../../protocol/ttrpc/status.ts'
import { exec, footprint, run, specOf } from './container.ts'
import { Guest } from './guest.ts'

const rounds = 15

describe('what the agent holds', () => {
  let guest: Guest

  beforeAll(async () => {
    guest = await Guest.boot()
    await guest.agent.createSandbox({ sandboxId: 'test', realtimeNs: BigInt(Date.now()) * 1_000_000n, entropy: randomBytes(64), shareTag: 'kata-ts' })
  })
  afterAll(async () => void await guest.stop())

  it('does not grow with containers, execs, terminals and failures that came and went', async () => {
    await round(guest, 'warm')
    const before = await quietFootprint(guest, 'before')
    for (let count = 0; count < rounds; count++) await round(guest, `round-${count}`)
    const after = await quietFootprint(guest, 'after')
    expect({ ...after, pssKib: 0 }).toEqual({ ...before, pssKib: 0 })
    // The heap's first growth is not over after one round; what leaks with each of the rounds would show.
    expect(after.pssKib - before.pssKib).toBeLessThan(1024)
    expect(after.pssKib).toBeLessThan(4096)
  })
})

/** After streams whose ends are on their way were closed, and the garbage of the last processes was collected (after a quiet second). */
async function quietFootprint(guest: Guest, id: string): ReturnType<typeof footprint> {
  await new Promise(resolve => setTimeout(resolve, 2000))
  return await footprint(guest, id)
}

/** A container with terminal and one without, execs, a program that is missing, a document that is none. */
async function round(guest: Guest, name: string): Promise<void> {
  const { finish } = await run(guest, `${name}-main`, ['sleep', '100'])
  const [plain, terminal] = await Promise.all([
    exec(guest, `${name}-main`, 'plain', ['echo', 'x']),
    exec(guest, `${name}-main`, 'terminal', ['echo', 'x'], { stdin: true, terminal: true }),
  ])
  await Promise.all([plain.finish(), terminal.finish()])
  await expect(run(guest, `${name}-missing`, ['no-such-program'])).rejects.toThrow(/no-such-program/)
  const spec = new TextEncoder().encode(JSON.stringify({ ...specOf('/nowhere', ['true']), ociVersion: 7 }))
  await expect(guest.agent.createContainer({ containerId: `${name}-bad`, spec })).rejects.toMatchObject({ code: Code.InvalidArgument })
  await guest.agent.signalProcess({ containerId: `${name}-main`, execId: '', signal: 15, all: false })
  await guest.agent.signalProcess({ containerId: `${name}-main`, execId: '', signal: 9, all: false }).catch(() => {})
  await finish()
}
