import { exitText, spawn } from '../native/ts/child.ts'
import { within } from '../native/ts/clock.ts'
import { SIGKILL } from '../native/ts/constants/signal.ts'
import { Fault } from '../native/ts/fault.ts'
import { inputFile } from '../native/ts/input-file.ts'
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

/** Runs hooks in order; rejects with a Fault at the first that fails, which the caller treats as the lifecycle says. */
export async function runHooks(hooks: readonly Hook[], moment: string, state: HookState): Promise<void> {
  for (const hook of hooks) await runHook(hook, moment, state)
}

/** As runHooks, for moments at which a failure is a warning and the next hook runs all the same (config.md#poststart, #poststop). */
export async function runEveryHook(hooks: readonly Hook[], moment: string, state: HookState, warn: (error: unknown) => void): Promise<void> {
  for (const hook of hooks) await runHook(hook, moment, state).catch(warn)
}

async function runHook(hook: Hook, moment: string, state: HookState): Promise<void> {
  using input = inputFile(`stdin of hook ${hook.path}`, JSON.stringify({ ociVersion: '1.0.2', ...state }))
  using child = spawn({
    path: hook.path,
    argv: hook.args?.length ? [...hook.args] : [hook.path],
    env: [...hook.env ?? []],
    stdio: [input.number, 'null', 'null'],
    cwd: state.bundle,
    parentDeathSignal: SIGKILL,
  })
  input.close()
  const limitMs = hook.timeout ? hook.timeout * 1000 : defaultTimeoutMs
  const exit = await within(child.wait(), limitMs, `${moment} hook ${hook.path}`).catch(async (cause: unknown) => {
    child.kill(SIGKILL)
    await child.wait()
    throw cause
  })
  if (exit.status !== 0) throw new Fault(`${moment} hook ${hook.path} ${exitText(exit)}`)
}
