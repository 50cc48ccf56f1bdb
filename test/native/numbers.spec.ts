import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { Program } from './engine.ts'

/** Printed, not asserted: a loaded machine would make them fail. hack/bench has the numbers README promises. */
it('start-up and memory', async () => {
  const idle = await new Program('idle').run()
  expect(idle.status).toBe(0)
  const runs = Array.from({ length: 50 }, () => {
    const start = performance.now()
    spawnSync('build/test/native/idle')
    return performance.now() - start
  })
  process.stdout.write(`      exec → exit ${Math.min(...runs).toFixed(2)} ms at best (spawned from Node); idle: ${idle.stdout}`)
})
