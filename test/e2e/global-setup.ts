/** Starts the stacks before the first file and takes down, with hack/stack's own proof, those that were not up before. */
import { readdirSync, rmdirSync } from 'node:fs'
import { chosenVersions } from './matrix.ts'
import { Stack } from './stack.ts'

export default function setup(): () => void {
  const started = chosenVersions().filter((version) => !Stack.isUp(version))
  for (const version of chosenVersions()) Stack.open(version).client.close()
  return () => {
    for (const version of started) Stack.down(version)
    removeParentCgroups()
  }
}

/** The directories above the cgroups of the specs' cgroupsPath: runc makes them and leaves them. rmdir takes only empty ones. */
function removeParentCgroups(): void {
  for (const parent of ['', ...readdirSync('/sys/fs/cgroup')]) {
    for (const name of ['e2e', 'e2e-pods']) {
      try { rmdirSync(`/sys/fs/cgroup/${parent}/${name}`) } catch { /* absent, or still in use by a stack that stays up */ }
    }
  }
}
