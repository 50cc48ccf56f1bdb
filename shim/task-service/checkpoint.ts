import type { CheckpointTaskRequest } from '../../protocol/gen/task.ts'
import { Refusal } from '../refusal.ts'
import type { TaskContext } from './context.ts'

/** Checkpoint: not there yet. Says so as `Unimplemented`, so that clients can tell it from a failure. */
export async function checkpoint({ sandbox }: TaskContext, request: CheckpointTaskRequest): Promise<Record<string, never>> {
  sandbox.container(request.id)
  throw new Refusal('unimplemented', 'checkpointing a container is not supported by kata-ts')
}
