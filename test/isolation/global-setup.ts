/** Takes the private stack down again, with hack/stack's own proof, if it was not up before. A given containerd is left alone. */
import startStacks from '../e2e/global-setup.ts'
import { givenAddress } from './options.ts'

export default function setup(): () => void {
  if (givenAddress() === undefined) return startStacks()
  return () => undefined
}
