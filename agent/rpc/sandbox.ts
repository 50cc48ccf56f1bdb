import { story } from '../../native/ts/fault.ts'
import { readText } from '../../native/ts/file.ts'
import type { CreateSandboxRequest, CreateSandboxResponse, SetClockRequest, UpdateNetworkRequest } from '../../protocol/gen/agent.ts'
import { setClock as setGuestClock } from '../sandbox/clock.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import { agentStartNs, boottimeNs } from '../start-time.ts'
import { agentVersion } from '../version.ts'

/** CreateSandbox. */
export async function createSandbox(sandbox: Sandbox, request: CreateSandboxRequest): Promise<Partial<CreateSandboxResponse>> {
  sandbox.parts.log.setLevel(request.logLevel)
  if (request.uidMappings.length > 0) sandbox.userNamespace ??= await sandbox.parts.enterUserNamespace(request)
  if (request.interfaces.length > 0) await sandbox.parts.prepareNetwork(request.interfaces, sandbox.userNamespace)
  sandbox.create(request)
  return {
    agentVersion,
    kernelRelease: readText('/proc/sys/kernel/osrelease').trim(),
    memoryTotalBytes: BigInt(memoryTotalKib(readText('/proc/meminfo'))) * 1024n,
    onlineCpus: countCpus(readText('/sys/devices/system/cpu/online')),
    agentStartNs,
    nowNs: boottimeNs(),
  }
}

/** DestroySandbox: every container goes, by force; what cannot be removed is logged, as the VM ends anyway. */
export async function destroySandbox(sandbox: Sandbox): Promise<object> {
  sandbox.destroyed()
  const { log, releaseMachine, end } = sandbox.parts
  const complain = (cause: unknown): void => log.warn(`destroy: ${story(cause)}`)
  if (sandbox.containers.length > 0) {
    // Loaded already, as there are containers.
    const { deleteContainer } = await import('./delete-container.ts')
    for (const { id } of sandbox.containers) await deleteContainer(sandbox, { containerId: id, force: true }).catch(complain)
  }
  try {
    sandbox.pidNamespace?.end()
    releaseMachine()
  } catch (cause) {
    complain(cause)
  }
  end('the sandbox was destroyed')
  return {}
}

/** UpdateNetwork. */
export async function updateNetwork(sandbox: Sandbox, { interfaces }: UpdateNetworkRequest): Promise<object> {
  if (interfaces.length > 0) await sandbox.parts.prepareNetwork(interfaces, sandbox.userNamespace)
  return {}
}

/** SetClock. */
export function setClock(_sandbox: Sandbox, { realtimeNs }: SetClockRequest): object {
  setGuestClock(realtimeNs)
  return {}
}

/** MemTotal of /proc/meminfo (proc(5)). */
export function memoryTotalKib(meminfo: string): number {
  return Number(/^MemTotal:\s+(\d+) kB$/m.exec(meminfo)?.[1] ?? 0)
}

/** Of a CPU list such as `0-3,7` (cpuset(7), list format). */
export function countCpus(list: string): number {
  return list.trim().split(',').filter(Boolean).reduce((count, part) => {
    const [first = 0, last = first] = part.split('-').map(Number)
    return count + last - first + 1
  }, 0)
}
