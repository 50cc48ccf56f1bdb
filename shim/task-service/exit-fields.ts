import { timestamp } from '../../protocol/timestamp.ts'
import type { Timestamp } from '../../protocol/gen/google/protobuf/timestamp.ts'
import type { ProcessExit } from '../process/state.ts'

/** An exit as containerd's messages carry it. */
export function exitFields(exit: ProcessExit): { exitStatus: number; exitedAt: Timestamp } {
  return { exitStatus: exit.status, exitedAt: timestamp(exit.atNs) }
}
