import * as sys from 'native:sys'
import { SIGKILL } from '../../../native/ts/constants/signal.ts'
import { P_PIDFD, WEXITED } from '../../../native/ts/constants/wait.ts'
import { type Child, type Exit, exitOf, exitText, spawn } from '../../../native/ts/child.ts'
import { checked, E, SysError } from '../../../native/ts/errno.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { inputFile } from '../../../native/ts/input-file.ts'
import type { Hook } from '../../../protocol/oci/hooks.ts'
import { pollReadable } from './poll.ts'

/** Runs the hooks of one point in the runtime's own namespaces, one after the other; the first that fails ends it (Fault). */
export async function runHooks(point: string, hooks: readonly Hook[], state: string): Promise<void> {
  for (const hook of hooks) {
    const hookProcess = startHook(point, hook, state)
    let late = false
    const timer = hook.timeout === undefined ? undefined : sys.setTimer(hook.timeout * 1000, () => {
      late = true
      hookProcess.kill(SIGKILL)
    })
    const exit = await hookProcess.wait()
    if (timer !== undefined) sys.clearTimer(timer)
    judge(point, hook, exit, late)
  }
}

/** As runHooks, without the event loop: for init, whose steps are synchronous. */
export function runHooksInInit(point: string, hooks: readonly Hook[], state: string): void {
  for (const hook of hooks) {
    const { pid, pidfd } = startHook(point, hook, state)
    using held = pidfd
    const late = !pollReadable(held.number, hook.timeout === undefined ? -1 : hook.timeout * 1000)
    if (late) sys.pidfdSendSignal(held.number, SIGKILL)
    const seen = sys.waitid(P_PIDFD, held.number, WEXITED)
    if (seen === null) throw new SysError('waitid', `process ${pid}`, E.ECHILD)
    judge(point, hook, exitOf(checked('waitid', what(point, hook), seen)), late)
  }
}

function judge(point: string, hook: Hook, exit: Exit, late: boolean): void {
  if (late) throw new Fault(`${what(point, hook)} took longer than its timeout of ${hook.timeout} s`)
  if (exit.status !== 0) throw new Fault(`${what(point, hook)} ${exitText(exit)}`)
}

function what(point: string, hook: Hook): string {
  return `${point} hook ${hook.path}`
}

function startHook(point: string, hook: Hook, state: string): Child {
  try {
    using stdin = inputFile(what(point, hook), state)
    return spawn({ path: hook.path, argv: hook.args?.length ? hook.args : [hook.path], env: hook.env ?? [], stdio: [stdin.number, 'null', 2] })
  } catch (cause) {
    throw new Fault(what(point, hook), { cause })
  }
}
