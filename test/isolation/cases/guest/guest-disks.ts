import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Spec } from '../../../e2e/spec.ts'
import { processesNamed } from '../../../e2e/leaks.ts'
import { checkout } from '../../../e2e/stack.ts'
import { contained, escaped, type Attack } from '../../attack.ts'
import { Assault } from '../../hostile-agent/assault.ts'
import { notForGiven } from '../../hostile-agent/no-agent.ts'
import { LoopDisk } from '../../loop-disk.ts'

const images = ['vmlinux', 'initrd.cpio'].map((name) => `${checkout}/build/guest/${name}`)
const hashes = (): string => images.map((path) => createHash('sha256').update(readFileSync(path)).digest('hex')).join(' ')

const giving = (disk: LoopDisk, access: string) => (spec: Spec): void => {
  const { device: path, major, minor } = disk
  spec.linux.devices = [{ path, type: 'b', major, minor, fileMode: 0o600, uid: 0, gid: 0 }]
  const rules = spec.linux.resources['devices']
  if (Array.isArray(rules)) rules.push({ allow: true, type: 'b', major, minor, access })
}

/** Descriptors and shared mappings of a process by which it could write one of the files. */
function waysToWrite(pid: number, files: readonly string[]): string[] {
  const descriptors = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/${fd}`)
      const flags = Number.parseInt(/^flags:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0', 8)
      return files.includes(target) && (flags & 3) !== 0 ? [`descriptor ${fd} of ${target}`] : []
    } catch { return [] } // it was closed meanwhile
  })
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').filter((line) => / .w.s /.test(line) && files.some((file) => line.endsWith(file)))
  return [...descriptors, ...maps]
}

export const attack: Attack = {
  id: 'CVE-2020-28914',
  title: "an attacker's kernel writes to a disk that is given read-only; the VMM could not either, nor change kernel and image of the next pod (CVE-2020-2025, CVE-2026-46695)",
  family: 'guest',
  leak: 'read-only volumes, the guest image that all pods boot from',
  bound: 'guest',
  notFor: notForGiven,
  control: {
    weak: 'the same disk, given to write',
    unavailable: (host) => host.stack === undefined ? 'only on the private containerd' : undefined,
    async run(site) {
      const disk = new LoopDisk(site, 'disk')
      const told = await (await Assault.begin(site)).runInGuest('disks', { options: { spec: giving(disk, 'rwm') } })
      return disk.intact ? contained(told) : escaped(`the disk is another: ${told}`)
    },
  },
  async run(site) {
    const disk = new LoopDisk(site, 'disk')
    const before = hashes()
    const assault = await Assault.begin(site)
    const ways: string[] = []
    let vmm: number | undefined
    const told = await assault.runInGuest('disks', {
      options: { spec: giving(disk, 'rm') },
      after: async (container) => {
        const stack = assault.stack
        vmm = processesNamed(stack, /qemu-system/).find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(container.containerId) || processesNamed(stack, /qemu-system/).length === 1)
        if (vmm !== undefined) ways.push(...waysToWrite(vmm, [disk.device, disk.file, ...images]))
      },
    })
    const more = [
      ...(vmm === undefined ? ['no VMM was seen'] : []),
      ...(disk.intact ? [] : ['the disk was written']),
      ...(hashes() === before ? [] : ['kernel or image were changed']),
      ...ways.map((way) => `the VMM has ${way}`),
    ]
    const verdict = await assault.verdict(more)
    return { ...verdict, evidence: `${told}; ${verdict.evidence}` }
  },
}
