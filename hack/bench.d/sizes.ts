/** Sizes of what is built. test/limits holds those that are promised. */
import { statSync } from 'node:fs'
import { checkout } from '../../test/e2e/stack.ts'

const built = [
  { name: 'shim binary', path: 'bin/containerd-shim-kata-ts-v2', promise: '≤ 3' },
  { name: 'agent binary', path: 'bin/kata-ts-agent', promise: '≤ 3' },
  { name: 'guest image without kernel', path: 'guest/initrd.cpio', promise: '≤ 3' },
  { name: 'guest kernel', path: 'guest/vmlinux', promise: '' },
]

export function sizes(): { name: string; mib: number; promise: string }[] {
  return built.map(({ name, path, promise }) => ({ name, mib: statSync(`${checkout}/build/${path}`).size / (1 << 20), promise }))
}
