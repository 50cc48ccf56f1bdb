import * as sys from 'native:sys'
import { Child } from '../../native/ts/child.ts'
import { PR_SET_PDEATHSIG } from '../../native/ts/constants/prctl.ts'
import { SIGCHLD, SIGKILL } from '../../native/ts/constants/signal.ts'
import { checked, SysError } from '../../native/ts/errno.ts'
import { Fd } from '../../native/ts/fd.ts'
import { idle, nameProcess } from '../../native/ts/idle.ts'

/**
 * A process of the host that stands for one container of a pod: its pid is the task's pid.
 *
 * Callers of containerd name a container by that pid and nothing else: CRI's `TARGET` namespace mode (kubectl debug
 * --target) gives `/proc/<pid>/ns/pid`, so two containers of a pod must not answer the same one. The VMM's threads
 * have pids too, but a small VM has fewer of them than a pod may have containers, and they belong to another; a number
 * that nobody has would some day be a stranger's. A process of our own is a number that is ours for as long as we want.
 *
 * It ends with the shim (PR_SET_PDEATHSIG), and with the container.
 */
export class Placeholder {
  #ended = false

  private constructor(private readonly child: Child) {}

  /** `killed` is called when somebody else ends the process: an administrator, the kernel when memory is out. Throws SysError. */
  static start(containerId: string, killed: () => void): Placeholder {
    const what = `placeholder of ${containerId}`
    const shim = sys.getpid()
    const cloned = checked('clone3', what, sys.clone3({ flags: 0, exitSignal: SIGCHLD }))
    if (cloned.pid === 0) {
      sys.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
      // A shim that died before that sends nothing any more.
      if (sys.getppid() !== shim) sys._exit(1)
      nameProcess('kata-ts-task')
      idle()
    }
    if (cloned.pid < 0) throw new SysError('clone3', what, -cloned.pid)
    const placeholder = new Placeholder(new Child(cloned.pid, new Fd(cloned.pidfd, `pidfd of ${what}`), what))
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
