import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../../native/ts/fake/sys.ts'
import { parseLoaderList, programFiles } from './program-files.ts'

/** An ELF header and one program header, PT_INTERP, whose text follows (elf(5)). */
function elf(loader: string): Uint8Array {
  const bytes = new Uint8Array(64 + 56 + loader.length + 1)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0x7f454c46)
  view.setUint8(4, 2)
  view.setBigUint64(32, 64n, true)
  view.setUint16(54, 56, true)
  view.setUint16(56, 1, true)
  view.setUint32(64, 3, true)
  view.setBigUint64(64 + 8, 120n, true)
  view.setBigUint64(64 + 32, BigInt(loader.length + 1), true)
  bytes.set(new TextEncoder().encode(loader), 120)
  return bytes
}

describe('parseLoaderList', () => {
  it('takes the paths and leaves out what the kernel brings', () => {
    expect(parseLoaderList('\tlinux-vdso.so.1 (0x00007f)\n\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n'))
      .toEqual(['/lib/x86_64-linux-gnu/libz.so.1', '/lib64/ld-linux-x86-64.so.2'])
  })
})

describe('programFiles', () => {
  beforeEach(() => {
    fake.reset()
    fake.put('/bin/vmm', elf('/lib64/ld.so'))
    for (const path of ['/lib64/ld.so', '/lib/libc.so.6', '/lib/libnew.so']) fake.put(path, 'x')
  })
  /** The loader as the fake host's child: its answer is in the output's pipe, the first one, before its end is waited for. */
  const loaderSays = (text: string, status = 0) => {
    fake.onCall('clone3', () => {
      const process = fake.addProcess()
      const output = [...fake.fds.values()].find(file => file.writes)
      output?.writes?.bytes.push(...new TextEncoder().encode(text))
      fake.exitProcess(process.pid, status)
      return process
    })
  }
  const asked = () => fake.callsOf('clone3').length

  it('is the program alone where it is static', () => {
    fake.put('/bin/static', 'x')
    expect(programFiles('/bin/static')).toEqual(['/bin/static'])
    expect(fake.callsOf('clone3')).toEqual([])
  })

  it('is a script\'s own directory, and its interpreter', () => {
    fake.put('/opt/vmm/start', '#!/bin/sh\nexec x\n')
    fake.put('/bin/sh', 'x')
    expect(programFiles('/opt/vmm/start')).toEqual(['/opt/vmm', '/bin/sh'])
  })

  it('asks the loader, once for each version of each file', () => {
    loaderSays('\tlibc.so.6 => /lib/libc.so.6 (0x1)\n')
    const files = ['/bin/vmm', '/lib64/ld.so', '/lib/libc.so.6']
    expect(programFiles('/bin/vmm')).toEqual(files)
    expect(programFiles('/bin/vmm')).toEqual(files)
    expect(asked()).toBe(1)
    loaderSays('\tlibnew.so => /lib/libnew.so (0x1)\n')
    fake.put('/lib/libc.so.6', 'longer')
    expect(programFiles('/bin/vmm')).toEqual(['/bin/vmm', '/lib64/ld.so', '/lib/libnew.so'])
    expect(fake.held()).toMatchObject({ fds: [], processes: [] })
  })

  it('asks again where what was kept makes no sense', () => {
    loaderSays('')
    programFiles('/bin/vmm')
    const kept = [...fake.nodes.keys()].find(path => path.endsWith('.json')) ?? ''
    for (const text of ['', '[]', '{}', '[["bin/vmm","0:0",1,1,1]]', '[[1]]']) {
      fake.put(kept, text)
      expect(programFiles('/bin/vmm')).toEqual(['/bin/vmm', '/lib64/ld.so'])
    }
    expect(asked()).toBe(6)
  })

  it('says what is missing', () => {
    loaderSays('\tlibgone.so => not found\n')
    expect(() => programFiles('/bin/vmm')).toThrow('/bin/vmm needs libgone.so, which is not installed')
    loaderSays('', 1)
    expect(() => programFiles('/bin/vmm')).toThrow(/does not tell which libraries/)
  })
})
