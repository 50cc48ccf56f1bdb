/** Faults that are injected while errands run. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { Container, uniqueId } from '../e2e/container.ts'
import { isAlive } from '../e2e/stack.ts'
import type { Stack } from '../e2e/stack.ts'
import { longErrand, randomErrand } from './errands.ts'
import type { Life } from './life.ts'
import { partNames, partOf, sendSignal, shimOf } from './processes.ts'
import { errorOf, messageOf, NoAnswer, pause, within } from './settle.ts'

/** SIGSTOP for a while: nothing may be lost, only late. What is stopped long sees all its timers run out at once, as after a jump of the clock. */
export async function stopForAWhile(life: Life): Promise<void> {
  const part = life.random.pick([...partNames, 'containerd'] as const)
  const ms = life.random.pick([20, 200, 1_000, life.random.between(1_000, 6_000)])
  life.didFault(`stopped ${part}`)
  const errand = longErrand(life.random)
  const stopping = async (): Promise<void> => {
    await pause(life.random.between(0, 400))
    const pids = part === 'containerd' ? [life.stack.containerdPid] : partOf(life.stack, life.sandboxId, part)
    if (pids.length === 0) throw new Error(`no ${part} was found`)
    for (const pid of pids) sendSignal(pid, 'SIGSTOP')
    await pause(ms)
    for (const pid of pids) sendSignal(pid, 'SIGCONT')
  }
  await Promise.all([life.run(errand), stopping()])
}

/** The guest's clock is set elsewhere, as a program with CAP_SYS_TIME, or a host that slept, does it. */
export async function jumpGuestClock(life: Life): Promise<void> {
  if (life.isControl) throw new Error('the clock of the host must not be set')
  const days = life.random.pick([-4000, -1, 1, 3000])
  life.didFault('clock jump in the guest')
  const host = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  // Only in a kernel that is not the host's.
  const seconds = Math.floor(Date.now() / 1000) + days * 86_400
  const script = `[ "$(cat /proc/sys/kernel/random/boot_id)" != ${host} ] || exit 99; date -s @${seconds} >/dev/null && sleep 0.2 && echo jumped`
  await life.run({ name: 'clock', script, status: 0, stdout: Buffer.from('jumped\n'), stderr: Buffer.alloc(0) }, (process) => {
    for (const set of ['bounding', 'effective', 'permitted'] as const) process.capabilities[set] = [...process.capabilities[set], 'CAP_SYS_TIME']
  })
  await life.run(longErrand(life.random))
}

/** The shim may open no more files: what needs one is refused with that reason, what does not goes on, and afterwards all is well. */
export async function exhaustDescriptors(life: Life): Promise<void> {
  const shim = shimOf(life.stack, life.sandboxId)
  if (shim === undefined) throw new Error('no shim was found')
  life.didFault('EMFILE in the shim')
  const limits = readFileSync(`/proc/${shim}/limits`, 'utf8').match(/^Max open files\s+(\d+)\s+(\d+)/m)
  if (limits === null) throw new Error('no limit of open files in /proc')
  const [, soft = '', hard = ''] = limits
  const highest = Math.max(...readdirSync(`/proc/${shim}/fd`).map(Number))
  const prlimit = (limit: string): void => { execFileSync('prlimit', ['--pid', String(shim), `--nofile=${limit}:${hard}`]) }
  prlimit(String(highest + 1 + life.random.between(0, 4)))
  try {
    for (let index = 0; index < 3; index++) {
      const error = await errorOf(life.run(randomErrand(life.random)))
      if (error instanceof NoAnswer) throw error
      if (error !== undefined && !/EMFILE|too many open files/i.test(messageOf(error))) life.figures.found('wrong answer', `${life.where}: without descriptors: ${messageOf(error)}`)
    }
  } finally {
    prlimit(soft)
  }
  await life.run(randomErrand(life.random))
}

/** containerd dies and comes back. Shims and processes live on, and what ended meanwhile is told. Alone on the node. */
export async function killContainerd(life: Life): Promise<void> {
  life.didFault('killed containerd')
  await life.stack.killContainerd()
  await pause(life.random.between(0, 1_500))
  life.stack.up()
}

/** The shims' state directory is full: a new sandbox is refused with that reason and leaves nothing. Alone on the node. */
export async function fillStateDirectory(life: Life): Promise<void> {
  life.didFault('ENOSPC in the state directory')
  const { stack, lane } = life.parts
  setStateLimit(stack, usedBytes(stack))
  const container = await Container.prepare(stack, lane, {}, false)
  try {
    const error = await within(errorOf(container.createTask()), 90_000, 'create on a full disk')
    if (error === undefined || !/ENOSPC/.test(messageOf(error))) life.figures.found('wrong answer', `${life.where}: create on a full disk: ${error === undefined ? 'success' : messageOf(error)}`)
    await errorOf(life.run(randomErrand(life.random)))
  } finally {
    setStateLimit(stack, undefined)
    await container.remove()
  }
}

const stateDirectory = '/run/kata-ts'
const inStack = (stack: Stack, ...command: string[]): string =>
  execFileSync('nsenter', ['-t', String(stack.holderPid), '-m', ...command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
const usedBytes = (stack: Stack): number => Number(inStack(stack, 'df', '--output=used', '-B1', stateDirectory).split('\n')[1])
/** undefined: the half of the memory that a tmpfs has by itself. */
export function setStateLimit(stack: Stack, bytes: number | undefined): void {
  inStack(stack, 'mount', '-o', `remount,size=${bytes === undefined ? '50%' : Math.max(bytes, 4096)}`, stateDirectory)
}

/** What can be lost for good. */
export const losses = [...partNames, 'guest kernel', 'qemu, stopped for good'] as const
export type Loss = typeof losses[number]

/** Kills a part of the sandbox with -9, panics the guest's kernel, or stops its VMM for ever; resolves when it is done. */
export async function lose(life: Life, loss: Loss): Promise<void> {
  life.didFault(loss === 'qemu, stopped for good' ? loss : `killed ${loss}`)
  if (loss === 'guest kernel') return panicGuest(life)
  if (loss === 'qemu, stopped for good') {
    for (const pid of partOf(life.stack, life.sandboxId, 'qemu')) sendSignal(pid, 'SIGSTOP')
    return
  }
  const pids = partOf(life.stack, life.sandboxId, loss)
  if (pids.length === 0) throw new Error(`no ${loss} was found`)
  for (const pid of pids) sendSignal(pid, 'SIGKILL')
  while (pids.some(isAlive)) await pause(5)
}

/** A process that asks for more memory than there is, where the kernel was told to panic at that. */
async function panicGuest(life: Life): Promise<void> {
  const all = ['CAP_SYS_ADMIN', 'CAP_SYS_RESOURCE', 'CAP_DAC_OVERRIDE']
  const script = 'mkdir -p /run/all && mount -t proc proc /run/all && echo 2 >/run/all/sys/vm/panic_on_oom && exec tail -c 2000000000 /dev/zero'
  const process = await life.begin({ name: 'panic', script, status: 137, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }, (spec) => {
    for (const set of ['bounding', 'effective', 'permitted'] as const) spec.capabilities[set] = [...spec.capabilities[set], ...all]
  })
  await life.expectNoSuccess('wait for the panic', process)
  process.io.close()
  const end = Date.now() + 30_000
  while (partOf(life.stack, life.sandboxId, 'qemu').length > 0) {
    if (Date.now() > end) throw new Error('the guest did not panic, or its VMM did not end')
    await pause(20)
  }
}

/** What `ctr` cannot do after a start that was killed before it answered: the operator's `delete`. */
export function deleteByHand(stack: Stack, checkout: string, id: string): void {
  inStack(stack, `${checkout}/build/bin/containerd-shim-kata-ts-v2`, '-namespace', 'default', '-id', id, '-address', `${stack.directory}/containerd.sock`, '-bundle', `/no/such/${uniqueId()}`, 'delete')
}
