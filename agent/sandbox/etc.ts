import * as sys from 'native:sys'
import { MS_NODEV, MS_NOEXEC, MS_NOSUID } from '../../native/ts/constants/mount.ts'
import { AT_FDCWD } from '../../native/ts/constants/fcntl.ts'
import { check } from '../../native/ts/errno.ts'
import { makeDirectories, writeText } from '../../native/ts/file.ts'
import { invalid } from '../refusal.ts'

/** Files of the pod, for containers that mount them in /etc. */
const etcDir = '/run/kata-ts/etc'

/** A name without a way out of the directory. */
const fileName = /^[a-z][a-z0-9.-]{0,63}$/

/** The pod's /dev/shm, for containers that mount it: one for all of them, as they share the IPC namespace. */
const shmDir = '/run/kata-ts/shm'
/** What containerd gives a pod (internal/cri/server/podsandbox, defaultShmSize). */
const shmOptions = 'mode=1777,size=64m'

/** Writes for `owner` (of a pod without a user namespace: root) the pod's hosts, resolv.conf and the like, where there are any, and mounts its /dev/shm beside them. Throws Refusal for a name that is none. */
export function writeEtc(files: Readonly<Record<string, string>>, owner = { uid: 0, gid: 0 }): void {
  for (const [name, text] of Object.entries(files)) {
    if (!fileName.test(name)) throw invalid(`${JSON.stringify(name)} is no name of a file`)
    makeDirectories(etcDir)
    writeText(`${etcDir}/${name}`, text, 0o644)
    check('chown', `${etcDir}/${name}`, sys.fchownat(AT_FDCWD, `${etcDir}/${name}`, owner.uid, owner.gid, 0))
  }
  if (Object.keys(files).length === 0) return
  makeDirectories(shmDir)
  check('mount', shmDir, sys.mount('shm', shmDir, 'tmpfs', MS_NOSUID | MS_NODEV | MS_NOEXEC, `${shmOptions},uid=${owner.uid},gid=${owner.gid}`))
}
