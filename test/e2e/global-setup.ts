/** Starts the stacks before the first file and takes down, with hack/stack's own proof, those that were not up before. */
import { chosenVersions } from './matrix.ts'
import { Stack } from './stack.ts'

export default function setup(): () => void {
  const started = chosenVersions().filter((version) => !Stack.isUp(version))
  for (const version of chosenVersions()) Stack.open(version).client.close()
  return () => { for (const version of started) Stack.down(version) }
}
