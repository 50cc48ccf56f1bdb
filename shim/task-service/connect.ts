import * as sys from 'native:sys'
import type { ConnectRequest, ConnectResponse } from '../../protocol/gen/task.ts'
import { version } from '../version.ts'
import type { TaskContext } from './context.ts'

/** Connect: who serves. containerd asks it of every shim after a restart, within 5 s: it never waits. */
export async function connect({ made }: TaskContext, _request: ConnectRequest): Promise<ConnectResponse> {
  return { shimPid: sys.getpid(), taskPid: made?.pid ?? sys.getpid(), version }
}
