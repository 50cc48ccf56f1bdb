/** The floor under every start: the same kernel and VMM with an init that says one word and ends the machine. */
import { spawn } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { writeCpio } from '../../guest-image/cpio.ts'
import { initrdEntries } from '../../guest-image/initrd.ts'
import { checkout, Stack } from '../../test/e2e/stack.ts'
import { withSleeper } from './client-times.ts'
import { commandLine } from '../../test/e2e/leaks.ts'
import { readdirSync } from 'node:fs'

const word = 'booted\n'

/** Milliseconds from QEMU's exec to init's first system call, `count` times. */
export async function bareBoot(count: number, stack = Stack.open('2.1')): Promise<number[]> {
  const initrd = `${tmpdir()}/kata-ts-bare-${process.pid}.cpio`
  writeFileSync(initrd, writeCpio(initrdEntries(tinyInit())))
  try {
    const args = bareArguments(await sandboxArguments(stack), initrd)
    const times: number[] = []
    for (let sample = 0; sample < count; sample++) times.push(await bootOnce(args))
    return times
  } finally { rmSync(initrd) }
}

/** The command line of a sandbox's own QEMU: what is compared must not drift from what runs. */
function sandboxArguments(stack: Stack): Promise<string[]> {
  return withSleeper(stack, 'kata-ts', async (id) => {
    const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && commandLine(Number(name)).includes('qemu-system') && commandLine(Number(name)).includes(id))
    if (pid === undefined) throw new Error(`no QEMU of ${id}`)
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1)
  })
}

/** Drops devices that need a daemon or a socket of the shim, and names the files that the shim hands over as descriptors. */
function bareArguments(sandbox: readonly string[], initrd: string): string[] {
  const replaced: Record<string, string> = {
    '-kernel': `${checkout}/build/guest/vmlinux`, '-initrd': initrd, '-bios': 'qboot.rom', '-serial': 'stdio',
  }
  const dropped = new Set(['-chardev', '-mon', '-qmp', '-name', '-sandbox'])
  const args = [sandbox[0] ?? 'qemu-system-x86_64']
  for (let index = 1; index < sandbox.length; index++) {
    const option = sandbox[index] ?? ''
    const next = sandbox[index + 1] ?? ''
    const value = next.startsWith('-') || next === '' ? undefined : next
    if (value !== undefined) index++
    if (dropped.has(option) || (value?.includes('chardev=') ?? false)) continue
    args.push(option, ...(value === undefined ? [] : [replaced[option] ?? value]))
  }
  return args
}

function bootOnce([program = '', ...args]: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const start = performance.now()
    const vmm = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const timer = setTimeout(() => vmm.kill('SIGKILL'), 60_000)
    let booted: number | undefined
    let output = ''
    vmm.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (booted === undefined && output.includes(word.trim())) booted = performance.now() - start
    })
    vmm.stderr.on('data', (chunk: Buffer) => { output += chunk.toString() })
    vmm.on('error', reject)
    vmm.on('close', () => {
      clearTimeout(timer)
      if (booted === undefined) reject(new Error(`the bare guest did not boot: ${output}`))
      else resolve(booted)
    })
  })
}

/**
 * An x86-64 ELF executable of two system calls: write(1, word), then reboot(2), which ends QEMU because of -no-reboot.
 * By hand, because a compiler's start-up code would be measured too. elf(5) for the layout.
 */
export function tinyInit(): Buffer {
  const base = 0x400000
  const headers = 64 + 56
  const code = Buffer.from([
    0xb8, 1, 0, 0, 0, // mov eax, 1 (write)
    0xbf, 1, 0, 0, 0, // mov edi, 1
    0xbe, 0, 0, 0, 0, // mov esi, address of word: filled in below
    0xba, word.length, 0, 0, 0, // mov edx, length
    0x0f, 0x05, // syscall
    0xb8, 169, 0, 0, 0, // mov eax, 169 (reboot)
    0xbf, 0xad, 0xde, 0xe1, 0xfe, // mov edi, LINUX_REBOOT_MAGIC1
    0xbe, 0x69, 0x19, 0x12, 0x28, // mov esi, LINUX_REBOOT_MAGIC2
    0xba, 0x67, 0x45, 0x23, 0x01, // mov edx, LINUX_REBOOT_CMD_RESTART
    0x0f, 0x05, // syscall
    0xeb, 0xfe, // jmp itself
  ])
  code.writeUInt32LE(base + headers + code.length, 11)
  const size = headers + code.length + word.length
  const elf = Buffer.alloc(headers)
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]) // magic, 64 bit, little endian, version
  elf.writeUInt16LE(2, 16) // ET_EXEC
  elf.writeUInt16LE(62, 18) // EM_X86_64
  elf.writeUInt32LE(1, 20)
  elf.writeBigUInt64LE(BigInt(base + headers), 24) // entry
  elf.writeBigUInt64LE(64n, 32) // program headers
  elf.writeUInt16LE(64, 52)
  elf.writeUInt16LE(56, 54)
  elf.writeUInt16LE(1, 56)
  elf.writeUInt32LE(1, 64) // PT_LOAD
  elf.writeUInt32LE(5, 68) // read, execute
  elf.writeBigUInt64LE(BigInt(base), 80)
  elf.writeBigUInt64LE(BigInt(base), 88)
  elf.writeBigUInt64LE(BigInt(size), 96)
  elf.writeBigUInt64LE(BigInt(size), 104)
  elf.writeBigUInt64LE(4096n, 112)
  return Buffer.concat([elf, code, Buffer.from(word)])
}
