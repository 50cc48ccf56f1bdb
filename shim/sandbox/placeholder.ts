import { type Child, spawn } from '../../native/ts/child.ts'
import { SIGKILL } from '../../native/ts/constants/signal.ts'

/** Under this name our own program starts no engine and waits to be ended (native/src/engine/idle.rs). */
const programName = 'kata-ts-task'

/**
 * A process of the host that stands for one container of a pod: its pid is the task's pid.
 *
 * Callers of containerd name a container by that pid and nothing else: CRI's `TARGET` namespace mode (kubectl debug
 * --target) gives `/proc/<pid>/ns/pid`, so two containers of a pod must not answer the same one. The VMM's threads
 * have pids too, but a small VM has fewer of them than a pod may have containers, and they belong to another; a number
 * that nobody has would some day be a stranger's. A process of our own is a number that is ours for as long as we want.
 *
 * It ends with the shim (PR_SET_PDEATHSIG), and with the container. A fork of the shim would in time come to own a copy of
 * its heap, 2 MiB; this program without its engine has about a tenth.
 */
export class Placeholder {
  #ended = false

  private constructor(private readonly child: Child) {}

  /** `killed` is called when somebody else ends the process: an administrator, the kernel when memory is out. Throws SysError. */
  static start(containerId: string, killed: () => void): Placeholder {
    const placeholder = new Placeholder(spawn({
      path: '/proc/self/exe', argv: [programName, containerId], env: [], stdio: ['null', 'null', 'null'], parentDeathSignal: SIGKILL,
    }))
    // One that cannot be waited for cannot be told apart from one that was killed.
    placeholder.child.wait().then(() => { if (!placeholder.#ended) killed() }, killed)
    return placeholder
  }

  /** Kept after its end. */
  get pid(): number {
    return this.child.pid
  }

  /** Ends the process; resolves when it is reaped. Idempotent. */
  async end(): Promise<void> {
    this.#ended = true
    this.child.kill(SIGKILL)
    await this.child.wait()
  }
}
