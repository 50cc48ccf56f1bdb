/** What a client sees: times of ctr's whole commands, and bytes that reach it. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { busybox } from '../../test/e2e/stack.ts'
import type { Stack } from '../../test/e2e/stack.ts'

export type Runtime = 'kata-ts' | 'runc'
export const benchId = (): string => `bench-${randomBytes(4).toString('hex')}`

async function timed(stack: Stack, args: readonly string[]): Promise<number> {
  const start = performance.now()
  const { code, stderr } = await stack.ctr(args)
  if (code !== 0) throw new Error(`ctr ${args.join(' ')}: exit ${code}: ${stderr}`)
  return performance.now() - start
}

/** Milliseconds of one `ctr run --rm … true`, from its exec to its exit. */
export function runTrue(stack: Stack, runtime: Runtime): Promise<number> {
  return timed(stack, ['run', '--rm', '--runtime', `io.containerd.${runtime}.v2`, busybox, benchId(), 'true'])
}

/** Runs `body` with the id of a container that sleeps, and removes it. */
export async function withSleeper<Result>(stack: Stack, runtime: Runtime, body: (id: string) => Promise<Result>): Promise<Result> {
  const id = benchId()
  await timed(stack, ['run', '-d', '--runtime', `io.containerd.${runtime}.v2`, busybox, id, 'sleep', '100000'])
  try { return await body(id) } finally {
    await stack.ctr(['task', 'rm', '-f', id])
    await stack.ctr(['container', 'rm', id])
  }
}

/** Milliseconds of `count` execs of `true` in one container. The first, which warms the guest's caches, is not counted. */
export function execTrue(stack: Stack, runtime: Runtime, count: number): Promise<number[]> {
  return withSleeper(stack, runtime, async (id) => {
    const times: number[] = []
    for (let sample = 0; sample <= count; sample++) {
      times.push(await timed(stack, ['task', 'exec', '--exec-id', `e${sample}`, id, 'true']))
    }
    return times.slice(1)
  })
}

/** MB/s (10⁶ bytes) from the first byte that reaches the client to the last, so that no start-up time is in it. */
export function stdoutThroughput(stack: Stack, runtime: Runtime, bytes: number): Promise<number> {
  const block = 65_536
  const args = ['run', '--rm', '--runtime', `io.containerd.${runtime}.v2`, busybox, benchId(),
    'dd', 'if=/dev/zero', `bs=${block}`, `count=${bytes / block}`]
  return new Promise((resolve, reject) => {
    const child = spawn(`${stack.directory}/bin/ctr`, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    let received = 0
    let first = 0
    let last = 0
    child.stdout.on('data', (chunk: Buffer) => {
      last = performance.now()
      if (received === 0) first = last
      received += chunk.length
    })
    child.on('error', reject)
    child.on('close', (code) => {
      // Lost bytes are the e2e lane's business (ctr with runc is seen to lose the last 64 KiB now and then): here they are told.
      if (received !== bytes) process.stderr.write(`bench: ${runtime}: only ${received} of ${bytes} bytes arrived\n`)
      if (code !== 0) reject(new Error(`${runtime}: exit ${code}`))
      else resolve(received / 1e3 / (last - first))
    })
  })
}
