import { readText } from '../../native/ts/file.ts'
import type { ResizeSandboxRequest, ResizeSandboxResponse } from '../../protocol/gen/agent.ts'
import { wrongState } from '../refusal.ts'
import { setOnlineCpus } from '../sandbox/cpus.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import { countCpus, memoryTotalKib } from './sandbox.ts'

/** ResizeSandbox: CPUs on or off, and the containers' share fitted to the memory that the VM has now. */
export function resizeSandbox(sandbox: Sandbox, { onlineCpus }: ResizeSandboxRequest): ResizeSandboxResponse {
  const { pod } = sandbox.parts
  if (!pod) throw wrongState('a sandbox without a VM has the machine of its host')
  if (onlineCpus > 0) setOnlineCpus(onlineCpus)
  pod.refresh()
  return {
    onlineCpus: countCpus(readText('/sys/devices/system/cpu/online')),
    memoryTotalBytes: BigInt(memoryTotalKib(readText('/proc/meminfo'))) * 1024n,
  }
}
