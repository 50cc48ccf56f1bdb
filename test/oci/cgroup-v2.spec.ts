import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const top = new URL('../..', import.meta.url).pathname
const program = join(tmpdir(), `kata-ts-cgroup-v2-${process.pid}`)
const mountPoint = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find(path => existsSync(`${path}/cgroup.controllers`))

describe.skipIf(mountPoint === undefined)('the cgroup v2 driver on a real hierarchy', () => {
  beforeAll(() => {
    execFileSync(join(top, 'hack/build-bin'), ['--bundle', join(top, 'test/oci/exercise-cgroup-v2.ts'), '-o', program], { stdio: 'ignore' })
  })

  it('clones into it, guards devices by a program that can be replaced, freezes, kills and removes', () => {
    const seen: unknown = JSON.parse(execFileSync(program, [mountPoint ?? ''], { encoding: 'utf8', timeout: 10_000 }))
    expect(seen).toEqual({
      strict: { null: true, zero: true, kmsg: false }, loose: { kmsg: true },
      born: true, frozen: true, thawed: true, died: true, gone: true,
    })
  })

  afterAll(() => {
    for (const path of [program, `${program}.maps`, `${program}.map`]) rmSync(path, { recursive: true, force: true })
  })
})
