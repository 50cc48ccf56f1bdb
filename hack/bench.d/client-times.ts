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
export function runTrue(stack: Stack, runtime: Runtime, flags: readonly string[] = []): Promise<number> {
  return timed(stack, ['run', '--rm', '--runtime', `io.containerd.${runtime}.v2`, ...flags, busybox, benchId(), 'true'])
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

/**
 * MB/s (10⁶ bytes) of one exec's output through containerd's FIFO and ctr into a pipe, from the exec's call to the last byte. The other
 * end is dd, which costs less processor time than we would: that counts where the guest's CPU is emulated on the same two cores.
 */
export function stdoutThroughput(stack: Stack, runtime: Runtime, bytes: number): Promise<number> {
  const block = 65_536
  return withSleeper(stack, runtime, id => new Promise((resolve, reject) => {
    const exec = [`${stack.directory}/bin/ctr`, 'task', 'exec', '--exec-id', 'out', id, 'dd', 'if=/dev/zero', `bs=${block}`, `count=${bytes / block}`]
    const child = spawn('sh', ['-c', '"$@" 2>/dev/null | LC_ALL=C dd of=/dev/null bs=1M', 'sh', ...exec], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString() })
    child.on('error', reject)
    child.on('close', () => {
      const [, received = '', seconds = ''] = /^(\d+) bytes.* copied, ([\d.e-]+) s/m.exec(said) ?? []
      // Lost bytes are the e2e lane's business (ctr with runc is seen to lose the last 64 KiB now and then): here they are told.
      if (Number(received) !== bytes) process.stderr.write(`bench: ${runtime}: only ${received} of ${bytes} bytes arrived\n`)
      if (received === '') reject(new Error(`${runtime}: no output measured: ${said}`))
      else resolve(Number(received) / 1e6 / Number(seconds))
    })
  }))
}
