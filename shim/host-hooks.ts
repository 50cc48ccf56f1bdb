import * as sys from 'native:sys'
import { exitText, spawn } from '../native/ts/child.ts'
import { within } from '../native/ts/clock.ts'
import { SIGKILL } from '../native/ts/constants/signal.ts'
import { check } from '../native/ts/errno.ts'
import { Fault } from '../native/ts/fault.ts'
import { pipe } from '../native/ts/fd.ts'
import type { Hook } from '../protocol/oci/hooks.ts'

/** The container's state as hooks read it from stdin (OCI runtime spec, runtime.md, "State"). */
export interface HookState {
  id: string
  status: 'creating' | 'created' | 'running' | 'stopped'
  pid: number
  bundle: string
  annotations: Record<string, string>
}

/** For hooks that set no `timeout`. */
const defaultTimeoutMs = 30_000

/** A pipe's buffer: a state document is far smaller, so writing it all at once never blocks. */
const pipeBytes = 65_536

/** Runs hooks in order; rejects with a Fault at the first that fails, which the caller treats as the lifecycle says. */
export async function runHooks(hooks: readonly Hook[], moment: string, state: HookState): Promise<void> {
  for (const hook of hooks) await runHook(hook, moment, state)
}

async function runHook(hook: Hook, moment: string, state: HookState): Promise<void> {
  const document = sys.utf8Encode(JSON.stringify({ ociVersion: '1.0.2', ...state }))
  if (document.length > pipeBytes) throw new Fault(`${moment} hook ${hook.path}: the container's annotations are too large`)
  const input = pipe(`stdin of hook ${hook.path}`)
  using reader = input.reader
  using writer = input.writer
  // Before the hook runs: one that ends without reading must not make this fail with EPIPE.
  check('write', writer.what, sys.write(writer.number, document, 0, document.length))
  writer.close()
  using child = spawn({
    path: hook.path,
    argv: hook.args?.length ? [...hook.args] : [hook.path],
    env: [...hook.env ?? []],
    stdio: [reader.number, 'null', 'null'],
    cwd: state.bundle,
    parentDeathSignal: SIGKILL,
  })
  reader.close()
  const limitMs = hook.timeout ? hook.timeout * 1000 : defaultTimeoutMs
  const exit = await within(child.wait(), limitMs, `${moment} hook ${hook.path}`).catch(async (cause: unknown) => {
    child.kill(SIGKILL)
    await child.wait()
    throw cause
  })
  if (exit.status !== 0) throw new Fault(`${moment} hook ${hook.path} ${exitText(exit)}`)
}
