import { Fault } from '../../native/ts/fault.ts'

/** `checkpoint` and `restore` are CRIU's work, which this runtime does not call. */
export async function checkpoint(): Promise<number> {
  throw new Fault('checkpoint is not supported', { fix: 'this runtime does not use CRIU' })
}

/** runc's verb; throws Fault, since there is no CRIU. */
export async function restore(): Promise<number> {
  throw new Fault('restore is not supported', { fix: 'this runtime does not use CRIU' })
}
