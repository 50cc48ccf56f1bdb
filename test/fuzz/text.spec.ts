/** Text of the kernel, of users and of daemons, line by line: whatever it is, it is read or refused, and what is shown of it harms no terminal. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseKernelCommandLine } from '../../agent/pid1/kernel-command-line.ts'
import { cgroupMounts } from '../../native/ts/cgroup-mounts.ts'
import { Fault } from '../../native/ts/fault.ts'
import { isIdentifier, parseFlags } from '../../shim/flags.ts'
import { LineSplitter, printable, TextTail } from '../../shim/hypervisor/text-tail.ts'
import { hostCgroupPath } from '../../shim/resources/cgroup-path.ts'
import { parseStreamUri } from '../../shim/stdio/uri.ts'
import { kernelMountsBelow, mountsBelow } from '../../shim/storage/kernel-file-systems.ts'
import { anyBytes, mutatedText, throwsOnly } from './arbitraries.ts'
import { corpus, textOf } from './corpus.ts'
import { settings } from './settings.ts'

const any = fc.oneof(fc.string(), fc.string({ unit: 'binary' }))
/** As proc_pid_mountinfo(5) has it: cgroup v1, v2, a bind, and a path with a space. */
const mountinfo = [
  '24 30 0:22 / /proc rw,nosuid shared:5 - proc proc rw', '31 30 0:26 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw', '33 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
  '99 30 8:1 /a\\040b /srv/with\\040space rw,relatime shared:1 master:2 propagate_from:3 - ext4 /dev/sda1 rw,errors=remount-ro', '100 30 0:44 / /run/kata-ts/s/1/share/c/rootfs/proc rw - proc proc rw',
].join('\n')

const isSafe = (text: string): boolean => !/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/.test(text)

describe('mountinfo', () => {
  const escaped = (path: string): string => path.replace(/[ \t\n\\]/g, found => `\\${found.charCodeAt(0).toString(8).padStart(3, '0')}`)
  const name = fc.string({ minLength: 1, maxLength: 8 }).filter(word => !word.includes('/') && !word.includes('\0'))
  const path = fc.array(name, { maxLength: 4 }).map(names => `/${names.join('/')}`)

  it('gives back each mount below a directory, whatever its path', () => {
    const mount = fc.record({ point: path, root: path, type: fc.constantFrom('proc', 'ext4', 'tmpfs', 'overlay', 'sysfs'), tags: fc.subarray(['shared:1', 'master:2', 'unbindable']) })
    fc.assert(fc.property(fc.array(mount, { maxLength: 6 }), path, (mounts, top) => {
      const text = mounts.map(({ point, root, type, tags }, index) => [`${index}`, '1', '8:1', escaped(root), escaped(point), 'rw', ...tags, '-', type, 'source', 'rw'].join(' ')).join('\n')
      const below = mounts.filter(({ point }) => point === top || point.startsWith(`${top}/`))
      expect(mountsBelow(text, top)).toEqual(below.map(({ point, root, type }) => ({ point, root, type, device: '8:1' })))
      expect(kernelMountsBelow(text, top)).toHaveLength(below.filter(({ type }) => type === 'proc' || type === 'sysfs').length)
    }), settings)
  })

  it('survives any text', () => {
    fc.assert(fc.property(fc.oneof(any, mutatedText([mountinfo], ' -\\/:\n')), text => {
      mountsBelow(text, '/run')
      for (const { mountPoint, controllers } of cgroupMounts(text).v1) expect([typeof mountPoint, controllers.length > 0]).toEqual(['string', true])
    }), settings)
  })
})

describe('what a client names', () => {
  it('is a stream, or refused', () => {
    fc.assert(fc.property(fc.oneof(any, mutatedText(['binary:///usr/bin/logger?id=c1&flag', 'ttrpc+unix:///run/s?streaming_id=a-stdout', 'fifo:///run/a%20b', 'file:///var/log'], '/:?&=%+')), text => {
      const uri = throwsOnly(Fault, () => parseStreamUri(text))
      if (uri?.scheme === 'stream') expect(uri.id.length).toBeLessThanOrEqual(256)
      if (uri?.scheme === 'file' || uri?.scheme === 'binary') expect(uri.path.startsWith('/')).toBe(true)
    }), settings)
  })

  it('is an identifier only when it is one name of a file', () => {
    fc.assert(fc.property(fc.oneof(any, mutatedText(['default', 'e2e-1.b_c'], './-_\0\n')), text => {
      if (isIdentifier(text)) expect(text).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,75}$/)
      throwsOnly(Fault, () => parseFlags(['-namespace', text, '-id', text, 'start']))
      throwsOnly(Fault, () => parseFlags(text.split(' ')))
    }), settings)
  })

  it('is a cgroup below the root, or refused', () => {
    fc.assert(fc.property(fc.oneof(any, mutatedText(['/kubepods/a/b', 'kubepods-a.slice:cri-containerd:x', '../../etc'], './:-')), text => {
      const path = throwsOnly(Fault, () => hostCgroupPath(text, '/default'))
      if (path !== undefined) expect(path.split('/').slice(1).every(part => part !== '' && part !== '.' && part !== '..')).toBe(true)
    }), settings)
  })

  it('is a kernel command line with a port, or without', () => {
    fc.assert(fc.property(fc.oneof(any, mutatedText(['quiet kata_ts.control_port=1024 kata_ts.debug'], ' =.0')), text => {
      expect(Number.isSafeInteger(parseKernelCommandLine(text).controlPort)).toBe(true)
    }), settings)
  })
})

describe('what a guest or a VMM prints', () => {
  const shown = fc.oneof(anyBytes, any.map(text => new TextEncoder().encode(text)), mutatedText(['\u001b[31mred\u001b[0m\r\n\u001b]0;title\u0007 plain', 'x\u202ey'], '\u001b[]\u0007\u009b;0m').map(text => new TextEncoder().encode(text)))

  it('harms no terminal, and is kept within its bounds', () => {
    fc.assert(fc.property(fc.array(shown, { maxLength: 6 }), pieces => {
      const tail = new TextTail(100)
      const lines: string[] = []
      const splitter = new LineSplitter(line => lines.push(line), 40)
      for (const piece of pieces) {
        tail.push(piece)
        splitter.push(piece)
      }
      expect([tail.text(), tail.lastLines(3), tail.ends(4), ...lines].every(isSafe)).toBe(true)
      expect(lines.every(line => line.length <= 40 && !line.includes('\n'))).toBe(true)
      expect(tail.text().length).toBeLessThanOrEqual(100)
    }), settings)
  })

  it.each(corpus('text'))('is judged: $why', kept => {
    expect(isSafe(printable(textOf(kept)))).toBe(true)
    mountsBelow(textOf(kept), '')
    cgroupMounts(textOf(kept))
    throwsOnly(Fault, () => parseStreamUri(textOf(kept)))
  })
})
