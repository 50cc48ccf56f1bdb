import * as sys from 'native:sys'
import { AT_FDCWD } from '../../../native/ts/constants/fcntl.ts'
import { checked } from '../../../native/ts/errno.ts'
import { exists } from '../../../native/ts/file.ts'
import type { Config } from '../../config/schema.ts'
import type { Accelerator } from '../accelerator.ts'
import type { Confinement } from '../confinement/confine.ts'
import { programFiles } from '../confinement/program-files.ts'
import type { RootPart } from '../confinement/root.ts'
import { findProgram } from '../daemon.ts'
import { sandboxPrivileges } from '../privileges.ts'

/** Where the VMM finds what the guest boots from. */
export const guestFiles = { kernel: '/guest/kernel', initrd: '/guest/initrd', firmware: '/guest/firmware' } as const

/** Descriptors are used for vhost-user rings, interrupts and hot-plugged devices: some hundred in a large VM. */
const openFiles = 4096

const kvmDevice = '/dev/kvm'

/**
 * What QEMU is shut into: its program, libraries and ROMs, kernel and image of the guest, /dev/kvm where it is used. No /proc, no /sys, nothing to
 * write: everything else it has by descriptor. Throws Fault for a program that is not there, or whose libraries are not.
 */
export function vmmConfinement(config: Pick<Config, 'hypervisor' | 'guest'>, accelerator: Accelerator): Confinement {
  const program = findProgram({ name: config.hypervisor.path, key: 'hypervisor.path' })
  const privileges = config.hypervisor.unprivileged ? sandboxPrivileges('vmm') : undefined
  const modules = accelerator.kind === 'tcg' ? existing(accelerators(program)) : []
  const parts: RootPart[] = [
    ...programFiles(program, modules).map((path): RootPart => ({ at: path, from: path, use: 'execute' })),
    ...existing([dataDirectory(program)]).map((path): RootPart => ({ at: path, from: path, use: 'read' })),
    ...(['kernel', 'initrd', 'firmware'] as const).map((name): RootPart => ({ at: guestFiles[name], from: config.guest[name], use: 'read' })),
  ]
  return { root: { parts, devices: accelerator.kind === 'kvm' ? [kvmNode(privileges?.uid ?? 0)] : [] }, privileges, openFiles }
}

/** QEMU finds its own files from where it lies (util/cutils.c, get_relocated_path). */
function prefixOf(program: string): string {
  return program.split('/').slice(0, -2).join('/')
}

/** Option ROMs: one that starts a PVH kernel, one that a guest's task priority register is sped up by. */
function dataDirectory(program: string): string {
  return `${prefixOf(program)}/share/qemu`
}

/** Distributions make the emulator a module of its own (configure --enable-modules). */
function accelerators(program: string): string[] {
  return ['lib/x86_64-linux-gnu', 'lib64', 'lib'].map(directory => `${prefixOf(program)}/${directory}/qemu/accel-tcg-x86_64.so`)
}

function existing(paths: readonly string[]): string[] {
  return paths.filter(exists)
}

/** A node of the VMM's own: no group of the host's is needed to open it, whatever the host's node says. */
function kvmNode(id: number): { path: string; major: number; minor: number; uid: number; gid: number } {
  const { rdevMajor, rdevMinor } = checked('stat', kvmDevice, sys.statx(AT_FDCWD, kvmDevice, 0))
  return { path: kvmDevice, major: rdevMajor, minor: rdevMinor, uid: id, gid: id }
}
