/** Takes down, with hack/stack's own proof, the stacks that were not up before. */
import { chosenVersions } from '../e2e/matrix.ts'
import { Stack } from '../e2e/stack.ts'

export default function setup(): () => void {
  const started = chosenVersions().filter((version) => !Stack.isUp(version))
  return () => { for (const version of started) Stack.down(version) }
}
