import { Fault } from '../../native/ts/fault.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import type { DiskRequest } from './disks.ts'
import { rewriteDevices, rewriteResources } from './devices.ts'
import { guestHooks } from './hooks.ts'
import { type BindSources, rewriteMounts } from './mounts.ts'
import { rewriteNamespaces, withHostNamespaces } from './namespaces.ts'
import { guestSeccomp } from './seccomp.ts'
import { containerSysctls } from './sysctl.ts'

export interface GuestSpecOptions extends BindSources {
  /** Root file system as the guest sees it. */
  rootPath: string
  /** Set for the whole sandbox: not the container's to set again. */
  sandboxSysctls?: Readonly<Record<string, string>>
  /** Block devices of the host that the guest is given (disks.ts). */
  disks: readonly DiskRequest[]
  /** False where the "guest" is the host itself. */
  ownKernel?: boolean
  /** Told what was left out, one line each. */
  dropped: (what: string) => void
}

/**
 * The spec as the agent is given it: containerd's, with every name of the host's replaced by the
 * guest's or left out. What would silently mean less than was asked for is refused (Fault).
 *
 * - root and bind mounts lie on the share;
 * - namespaces are the sandbox's or new ones, never the host's (namespaces.ts);
 * - host devices, cpusets, block-I/O weights, LSM labels and cgroup paths name host things;
 * - hooks of the host are run by the shim, `startContainer` stays (hooks.ts).
 */
export function guestSpec(spec: Spec, options: GuestSpecOptions): Spec {
  if (!spec.process) throw new Fault('config.json has no process')
  if (!spec.root) throw new Fault('config.json has no root')
  const { hooks: _hostHooks, linux, process, ...rest } = spec
  const { apparmorProfile, selinuxLabel, execCPUAffinity } = process
  if (apparmorProfile) options.dropped(`AppArmor profile ${apparmorProfile}: the guest has no AppArmor`)
  if (selinuxLabel) options.dropped(`SELinux label ${selinuxLabel}: the guest has no SELinux`)
  if (execCPUAffinity) options.dropped('CPUs of further processes: they name the host\'s')
  const hooks = guestHooks(spec.hooks)
  return {
    ...rest,
    process: guestProcess(process),
    root: { ...spec.root, path: options.rootPath },
    mounts: rewriteMounts(spec.mounts ?? [], options, linux),
    ...(hooks ? { hooks } : {}),
    linux: rewriteLinux(linux ?? {}, options),
  }
}

/** A process without the labels of LSMs, which the guest's kernel does not have, and without CPUs of the host, which it does not know. */
export function guestProcess<P extends { apparmorProfile?: unknown; selinuxLabel?: unknown; execCPUAffinity?: unknown }>(process: P): Omit<P, 'apparmorProfile' | 'selinuxLabel' | 'execCPUAffinity'> {
  const { apparmorProfile: _apparmor, selinuxLabel: _selinux, execCPUAffinity: _cpus, ...rest } = process
  return rest
}

function rewriteLinux(linux: NonNullable<Spec['linux']>, { disks, dropped, ownKernel = true, sandboxSysctls = {} }: GuestSpecOptions): NonNullable<Spec['linux']> {
  const { cgroupsPath: _hostCgroup, mountLabel, intelRdt, resources, devices: _hostDevices, namespaces, seccomp, sysctl, ...rest } = linux
  if (mountLabel) dropped(`SELinux mount label ${mountLabel}: the guest has no SELinux`)
  if (intelRdt) dropped('Intel RDT settings: they name a host resource')
  const rewritten = rewriteNamespaces(namespaces ?? [])
  return {
    ...rest,
    namespaces: ownKernel ? rewritten : withHostNamespaces(rewritten, namespaces ?? []),
    ...(seccomp ? { seccomp: ownKernel ? guestSeccomp(seccomp) : seccomp } : {}),
    ...(sysctl ? { sysctl: containerSysctls(sysctl, sandboxSysctls) } : {}),
    devices: rewriteDevices(linux, disks, dropped),
    ...(resources ? { resources: rewriteResources(resources, dropped, disks) } : {}),
  }
}
