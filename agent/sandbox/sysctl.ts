import { Fault } from '../../native/ts/fault.ts'
import { writeKernelFile } from '../../native/ts/file.ts'
import { invalid } from '../refusal.ts'

/** Applies sysctls, by their names with dots or slashes (sysctl(8)). Throws Refusal for a malformed name, Fault for one refused by the kernel. */
export function applySysctls(sysctls: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(sysctls)) {
    const path = sysctlPath(name)
    try {
      writeKernelFile(path, value)
    } catch (cause) {
      throw new Fault(`sysctl ${name} = ${value}`, { cause })
    }
  }
}

/** As sysctl(8): the first separator decides which one the name uses, the other then stands for a dot in a name. */
export function sysctlPath(name: string): string {
  if (!/^[A-Za-z0-9_./-]+$/.test(name) || name.includes('..') || name.includes('//') || /^[./]|[./]$/.test(name)) {
    throw invalid(`${JSON.stringify(name)} is no name of a sysctl`)
  }
  const separator = /[./]/.exec(name)?.[0]
  const parts = separator === '/' ? name : name.replace(/[./]/g, found => (found === '.' ? '/' : '.'))
  return `/proc/sys/${parts}`
}
