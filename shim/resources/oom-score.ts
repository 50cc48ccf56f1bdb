import { E, isErrno } from '../../native/ts/errno.ts'
import { readText, writeKernelFile } from '../../native/ts/file.ts'

/**
 * Lets the host's kernel choose among VMMs as it would among their containers' own processes when the host's memory runs out:
 * kubelet gives each container the score of its pod's QoS class. A VMM begins with the shim's score, which protects it as it does containerd; it
 * takes the highest of its containers' (raising needs no privilege; proc_pid_oom_score_adj(5)).
 * @param pid of the VMM, a child of ours that is not reaped; 0: there is none
 */
export function takeOomScore(pid: number, score: number | undefined): void {
  if (pid === 0 || score === undefined) return
  const file = `/proc/${pid}/oom_score_adj`
  try {
    if (Number(readText(file, 64).trim()) < score) writeKernelFile(file, String(score))
  } catch (error) {
    // It is on its way out, which is told elsewhere.
    if (!isErrno(error, E.ENOENT, E.ESRCH)) throw error
  }
}
