import { oursRuntime } from '../options.ts'

/** The cases are about our own shim and its agent. */
export const notForOthers = (runtime: string): string | undefined => runtime === oursRuntime ? undefined : 'has no agent of this protocol in a guest'
