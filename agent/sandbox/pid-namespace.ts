import * as sys from 'native:sys'
import { O_RDONLY } from '../../native/ts/constants/fcntl.ts'
import { CLONE_NEWPID } from '../../native/ts/constants/sched.ts'
import { SIGCHLD } from '../../native/ts/constants/signal.ts'
import { check } from '../../native/ts/errno.ts'
import { open } from '../../native/ts/fd.ts'
import { idle, nameProcess } from '../../native/ts/idle.ts'
import { cloneProcess } from '../container/namespaces/clone.ts'
import type { ContainerProcess } from '../container/process.ts'

/** What Kubernetes' own pause runs as: nobody who has a file anywhere. */
const pauseUid = 65_535

/**
 * The PID namespace that the containers of a pod share when they are to (shareProcessNamespace). Its PID 1 is a fork of the
 * agent that does what pause does, reaping and waiting. Made at the first asking, so that other pods go without; it ends
 * with the agent, and cannot be ended from inside (pid_namespaces(7)).
 */
export class PodPidNamespace {
  #init: ContainerProcess | undefined

  /** `userNamespace`: the file of the one that it is to belong to; undefined: the agent's. */
  constructor(private readonly userNamespace?: string) {}

  /** The namespace's file, good as long as its PID 1 lives. Throws SysError. */
  path(): string {
    if (!this.#init?.alive()) {
      this.#init?.close()
      this.#init = startReaper(this.userNamespace)
    }
    return `/proc/${this.#init.pid}/ns/pid`
  }

  /** Ends whatever is in it. */
  end(): void {
    this.#init?.destroy()
  }
}

/** Whoever reaps in the agent forgets its exit, as nobody claims it. */
function startReaper(userNamespace: string | undefined): ContainerProcess {
  using user = userNamespace === undefined ? undefined : open(userNamespace, O_RDONLY)
  return cloneProcess({ what: "reaper of the pod's PID namespace", flags: CLONE_NEWPID, userNamespace: user?.number, child: becomeReaper })
}

/** In the child. Orphans are reaped by the kernel, since nobody wants their exits (sigaction(2), SIGCHLD with SIG_IGN). */
function becomeReaper(): never {
  sys.resetSignals()
  check('sigaction', 'SIGCHLD', sys.ignoreSignal(SIGCHLD))
  nameProcess('pause')
  // Containers see this process and, some of them, with capabilities: it keeps none to take and no file to look at. A change
  // of ids makes it undumpable, so that not even its own uid may trace it (prctl(2), PR_SET_DUMPABLE).
  check('setgroups', '', sys.setgroups([]))
  check('setresgid', String(pauseUid), sys.setresgid(pauseUid, pauseUid, pauseUid))
  check('setresuid', String(pauseUid), sys.setresuid(pauseUid, pauseUid, pauseUid))
  return idle()
}
