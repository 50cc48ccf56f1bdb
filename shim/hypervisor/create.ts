import { Fault } from '../../native/ts/fault.ts'
import type { Config } from '../config/schema.ts'
import { hasKernelVhost, KernelVsock } from '../vsock/vhost.ts'
import { VhostUserVsock } from '../vsock/vhost-user.ts'
import type { GuestVsock } from '../vsock/vsock.ts'
import { DaemonGroups } from './daemon-groups.ts'
import type { Hypervisor, HypervisorSandbox } from './hypervisor.ts'
import { NoVm } from './none/none.ts'
import { sandboxPrivileges } from './privileges.ts'
import { Qemu } from './qemu/qemu.ts'

/** The hypervisor that the configuration names, for one sandbox. Starts nothing. Throws Fault for what is not there. */
export function createHypervisor(config: Config, sandbox: HypervisorSandbox): Hypervisor {
  if (config.hypervisor.type === 'none') return new NoVm(config, sandbox)
  const groups = new DaemonGroups(config, sandbox.cgroup, sandbox.journal, sandbox.log)
  return new Qemu(config, sandbox, createVsock(config, sandbox, groups), groups)
}

function createVsock(config: Config, sandbox: HypervisorSandbox, groups: DaemonGroups): GuestVsock {
  const kernel = hasKernelVhost()
  if (config.vsock.type === 'vhost' && !kernel) {
    throw new Fault('vsock.type = "vhost", and /dev/vhost-vsock does not open', { fix: 'load the module vhost_vsock, or set vsock.type = "auto"' })
  }
  if (config.vsock.type === 'vhost' || (config.vsock.type === 'auto' && kernel)) return new KernelVsock()
  return new VhostUserVsock(config.vsock.daemon, {
    stateDir: sandbox.stateDir,
    privileges: config.hypervisor.unprivileged ? () => sandboxPrivileges('vsock') : undefined,
    confined: config.hypervisor.confinement,
    cgroups: () => groups.vmm(),
    journal: sandbox.journal,
  })
}
