/** What a network interface adds to a start: the same command with and without a namespace that holds one. */
import { execFileSync } from 'node:child_process'
import type { Stack } from '../../test/e2e/stack.ts'
import { type Runtime, runTrue } from './client-times.ts'

const runtimes = ['kata-ts', 'runc'] as const
const [netns, peer] = ['kata-ts-bench', 'bench-veth']

/** Milliseconds of `ctr run --rm … true`, samples of all four kinds in turn so that a burst of load meets each. */
export async function networkFigures(stack: Stack, count: number): Promise<Record<'without' | 'with', Record<Runtime, number[]>>> {
  const inStack = (...words: string[]): void => {
    execFileSync('nsenter', ['--target', String(stack.holderPid), '--mount', '--net', 'ip', ...words], { stdio: ['ignore', 'ignore', 'pipe'] })
  }
  inStack('netns', 'add', netns)
  try {
    inStack('link', 'add', peer, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns)
    inStack('link', 'set', peer, 'up')
    inStack('-n', netns, 'address', 'add', '10.98.0.2/24', 'dev', 'eth0')
    inStack('-n', netns, 'link', 'set', 'eth0', 'up')
    inStack('-n', netns, 'route', 'add', 'default', 'via', '10.98.0.1')
    const samples = { without: { 'kata-ts': [] as number[], 'runc': [] as number[] }, with: { 'kata-ts': [] as number[], 'runc': [] as number[] } }
    for (let sample = 0; sample < count; sample++) {
      for (const runtime of runtimes) {
        samples.without[runtime].push(await runTrue(stack, runtime))
        samples.with[runtime].push(await runTrue(stack, runtime, ['--with-ns', `network:/run/netns/${netns}`]))
      }
    }
    return samples
  } finally { inStack('netns', 'delete', netns) }
}
