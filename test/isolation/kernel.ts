/** Whose kernel a container's kernel is: what tells an escape to the host from one into a guest. */
import { readFileSync } from 'node:fs'
import type { Container } from '../e2e/container.ts'
import { escaped, reachedGuest, type Verdict } from './attack.ts'
import { hostBootId } from './containerd-host.ts'

/** Whether the container's kernel is another one than the host's. Asked of a container that has not been attacked yet. */
export async function hasOwnKernel(container: Container): Promise<boolean> {
  return (await container.shell('cat /proc/sys/kernel/random/boot_id')).trim() !== hostBootId()
}

/** The kernel was had: the host's, or the guest's. */
export function hadKernel(own: boolean, evidence: string): Verdict {
  return own ? reachedGuest(`${evidence}, in a kernel of the pod's own`) : escaped(`${evidence}, in the host's kernel`)
}

/** CPU and memory aside, what every attack must leave as it was. Harmless to read. */
export const hostSysctl = (name: string): string => readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim()
