import * as sys from 'native:sys'
import { AT_FDCWD } from '../../../native/ts/constants/fcntl.ts'
import { readText } from '../../../native/ts/file.ts'
import { type Config, schema } from '../../config/schema.ts'
import { excess } from './confinement.ts'
import type { Finding } from './report.ts'
import type { Attested } from './sandbox.ts'

/** What containerd and runc put into /dev of a container that asks for nothing. */
const usualDevices = ['attest-console', 'console', 'core', 'fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero']

const roleNames = { vmm: 'VMM', virtiofsd: 'virtiofsd', vsock: 'vsock daemon' } as const

/** What the sandbox showed. */
export function judgeSandbox({ probe, processes, commandLine, planted }: Attested, left: readonly string[]): Finding[] {
  const hostBootId = readText('/proc/sys/kernel/random/boot_id', 64).trim()
  const hostKernel = readText('/proc/sys/kernel/osrelease', 256).trim()
  const devices = [...probe.blockDevices, ...probe.devices.filter(name => !usualDevices.includes(name))]
  const connected = probe.vsock.filter(({ answer }) => answer === 'CONNECTED')
  const listeners = ['debug', 'kgdb', 'kdb', 'init=/bin'].filter(word => probe.commandLine.includes(word))
  return [
    judged('own kernel', probe.bootId !== hostBootId, `guest ${probe.kernel}, host ${hostKernel}, boot ids ${probe.bootId === hostBootId ? 'the same' : 'differ'}`, 'set hypervisor.type = "qemu"'),
    accelerator(commandLine),
    ...(['vmm', 'virtiofsd', 'vsock'] as const).map(role => confinement(role, processes.filter(each => each.role === role).map(({ view }) => view))),
    judged('agent out of reach', connected.length === 0, connected.length === 0 ? `by vsock: ${[...new Set(probe.vsock.map(({ answer }) => answer))].join(', ')}` : `a container reached ${connected.map(({ to }) => to).join(', ')}`, 'report this'),
    judged('devices', devices.length === 0, devices.length === 0 ? `${probe.devices.length} names in /dev, none of the host's or the guest's own` : `more than usual in /dev: ${devices.join(' ')}`, 'report this'),
    judged('masks', probe.unmasked.length === 0, probe.unmasked.length === 0 ? 'masked paths show nothing' : `readable: ${probe.unmasked.join(' ')}`, 'report this'),
    judged('read-only', probe.writable.length === 0 && !planted.readonly && planted.writable, readonlyStory(probe.writable, planted), 'report this'),
    judged('no debug console', probe.console !== 'OPENED' && listeners.length === 0, `the serial line from a container: ${probe.console}; kernel command line: ${listeners.join(' ') || 'no debugger'}`, 'report this; and take debuggers from guest.kernel_params'),
    judged('clean-up', left.length === 0, left.length === 0 ? 'nothing left of this sandbox' : `left: ${left.join(', ')}`, 'report this'),
  ]
}

function judged(id: string, good: boolean, evidence: string, fix: string): Finding {
  return { id, verdict: good ? 'ok' : 'failed', evidence, ...(!good && { fix }) }
}

function accelerator(commandLine: string): Finding {
  if (/ -accel kvm/.test(commandLine)) return { id: 'accelerator', verdict: 'ok', evidence: 'KVM' }
  return {
    id: 'accelerator', verdict: 'weak', evidence: 'the guest is emulated (TCG): slow, and QEMU\'s project promises isolation for KVM only',
    fix: 'use a host with hardware virtualization, and load kvm_intel or kvm_amd; /run/kata-ts/host.json says why KVM was not taken',
  }
}

function confinement(role: keyof typeof roleNames, views: Attested['processes'][number]['view'][]): Finding {
  const id = `${roleNames[role]} confined`
  if (views.length === 0) {
    return role === 'vsock' ? { id, verdict: 'ok', evidence: 'the host\'s kernel carries vsock: there is no daemon' } : { id, verdict: 'failed', evidence: 'there is no such process', fix: 'set hypervisor.type = "qemu"' }
  }
  const more = views.flatMap(view => excess(view, role))
  if (more.length > 0) return { id, verdict: 'weak', evidence: [...new Set(more)].join('; '), fix: 'set hypervisor.confinement, hypervisor.unprivileged and hypervisor.sandbox to true, and the limits hypervisor.vmm_* and share.memory_mib above 0' }
  const view = views.at(-1) ?? views[0]
  return { id, verdict: 'ok', evidence: `uid ${view?.uid}, ${view?.capabilities.length} capabilities, own mnt pid ipc uts net, sees ${role === 'virtiofsd' ? 'the share only' : view?.root.map(name => `/${name}`).join(' ')}` }
}

function readonlyStory(writable: readonly string[], planted: Attested['planted']): string {
  if (planted.readonly) return 'a container wrote to a directory of the host that it has read-only'
  if (!planted.writable) return 'a container could not write to a directory of the host that it has read-write: nothing is known'
  return writable.length === 0 ? 'a read-only directory of the host stayed as it was, a read-write one did not' : `writable: ${writable.join(' ')}`
}

/** Where the configuration makes a sandbox weaker than it is by default. Pure. */
export function judgeConfig(config: Config): Finding[] {
  const { hypervisor, share, annotations, debug, guest } = config
  const deviations: [key: string, wrong: boolean, verdict: 'weak' | 'failed', meaning: string, fix: string][] = [
    ['hypervisor.type', hypervisor.type === 'none', 'failed', 'sandboxes have no kernel of their own', 'set it to "qemu"'],
    ['hypervisor.unprivileged', !hypervisor.unprivileged, 'weak', 'the VMM runs as root', 'set it to true'],
    ['hypervisor.confinement', !hypervisor.confinement, 'weak', 'VMM and daemons see the host', 'set it to true'],
    ['hypervisor.sandbox', !hypervisor.sandbox, 'weak', 'QEMU may make any system call', 'set it to true'],
    ['hypervisor.vmm_memory_mib', hypervisor.vmmMemoryMib === 0, 'weak', 'the VMM may use up the host\'s memory', `leave it at ${schema.hypervisor.vmmMemoryMib.fallback}`],
    ['hypervisor.vmm_threads', hypervisor.vmmThreads === 0, 'weak', 'the VMM may use up the host\'s process ids', `leave it at ${schema.hypervisor.vmmThreads.fallback}`],
    ['share.memory_mib', share.memoryMib === 0, 'weak', 'virtiofsd may use up the host\'s memory', `leave it at ${schema.share.memoryMib.fallback}`],
    ['annotations.enable', annotations.enable.length > 0, 'weak', `pod authors may set ${annotations.enable.join(', ')}`, 'leave it empty, where pod authors are not trusted'],
    ['debug.console', debug.console, 'weak', 'the guest\'s kernel talks on its console', 'set it to false'],
    ['guest.kernel_params', guest.kernelParams !== '', 'weak', `the guest's kernel is told more: ${guest.kernelParams.slice(0, 100)}`, 'leave it empty'],
  ]
  const wrong = deviations.filter(([, deviates]) => deviates).map(([key, , verdict, meaning, fix]): Finding => ({ id: 'configuration', verdict, evidence: `${key}: ${meaning}`, fix: `${key}: ${fix}` }))
  return wrong.length > 0 ? wrong : [{ id: 'configuration', verdict: 'ok', evidence: 'nothing is weaker than by default' }]
}

/** Programs and images of the host that others than root could change: they run as root, or are every guest's kernel. */
export function judgeFiles(paths: readonly string[]): Finding {
  const open = paths.filter(path => {
    const stat = sys.statx(AT_FDCWD, path, 0)
    return typeof stat !== 'number' && (stat.uid !== 0 || (stat.mode & 0o022) !== 0)
  })
  return judged('files', open.length === 0, open.length === 0 ? `${paths.length} programs and images belong to root, and nobody else may write them` : `others may write: ${open.join(' ')}`, 'chown root:root and chmod go-w them')
}
