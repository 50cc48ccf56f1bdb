import { givenAddress, oursRuntime } from '../options.ts'

/** The cases are about our own shim and its agent. */
export const notForOthers = (runtime: string): string | undefined => runtime === oursRuntime ? undefined : 'has no agent of this protocol in a guest'

/** Of those, the ones that put another agent or limit in place of the shim's own. */
export const notForGiven = (runtime: string): string | undefined =>
  notForOthers(runtime) ?? (givenAddress() === undefined ? undefined : 'changes the shim\'s configuration: only on the private containerd')
