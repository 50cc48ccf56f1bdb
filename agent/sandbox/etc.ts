import { makeDirectories, writeText } from '../../native/ts/file.ts'
import { invalid } from '../refusal.ts'

/** Files of the pod, for containers that mount them in /etc. */
const etcDir = '/run/kata-ts/etc'

/** A name without a way out of the directory. */
const fileName = /^[a-z][a-z0-9.-]{0,63}$/

/** Writes the pod's hosts, resolv.conf and the like. Throws Refusal for a name that is none. */
export function writeEtc(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    if (!fileName.test(name)) throw invalid(`${JSON.stringify(name)} is no name of a file`)
    makeDirectories(etcDir)
    writeText(`${etcDir}/${name}`, text, 0o644)
  }
}
