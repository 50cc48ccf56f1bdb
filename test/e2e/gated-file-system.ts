/** A FUSE file system of the host with one file, whose reads are answered once the test says so (include/uapi/linux/fuse.h). */
import { close, openSync, read, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { run, type Stack } from './stack.ts'

const opcode = { lookup: 1, forget: 2, getattr: 3, open: 14, read: 15, statfs: 17, release: 18, flush: 25, init: 26, opendir: 27, releasedir: 29, interrupt: 36, batchForget: 42 } as const
const rootId = 1n
const fileId = 2n
const FOPEN_DIRECT_IO = 1
const [S_IFDIR, S_IFREG] = [0o040000, 0o100000]
const [ENOENT, ENOSYS] = [2, 38]
/** struct fuse_in_header, and room for the largest request that nobody here makes, a write. */
const headerBytes = 40
const bufferBytes = 256 * 1024

export const gatedFile = { name: 'file', bytes: 4 << 20 } as const

export class GatedFileSystem {
  readonly #waiting: (() => void)[] = []
  #open = false
  /** Requests to read that came. */
  reads = 0

  private constructor(private readonly device: number) {}

  /** Mounts it in the stack's mount namespace; unmounted when the test ends. */
  static async mount(stack: Stack, path: string): Promise<GatedFileSystem> {
    const device = openSync('/dev/fuse', 'r+')
    const gated = new GatedFileSystem(device)
    const inStack = [`--mount=/proc/${stack.holderPid}/ns/mnt`]
    const options = `fd=3,rootmode=${S_IFDIR.toString(8)},user_id=0,group_id=0,allow_other`
    const { code, stderr } = await run('nsenter', [...inStack, 'mount', '-i', '-t', 'fuse', '-o', options, 'gated', path], { inherit: device })
    if (code !== 0) throw new Error(stderr)
    void gated.#serve()
    onTestFinished(async () => {
      gated.open()
      await run('nsenter', [...inStack, 'umount', '-l', path])
    })
    return gated
  }

  /** Answers every read, from now on. */
  open(): void {
    this.#open = true
    for (const answer of this.#waiting.splice(0)) answer()
  }

  /** Until the file system is unmounted and unused (ENODEV). */
  async #serve(): Promise<void> {
    const buffer = Buffer.alloc(bufferBytes)
    for (;;) {
      const got = await promisify(read)(this.device, buffer, 0, buffer.length, null).catch(() => undefined)
      if (got === undefined) break
      this.#take(Buffer.from(buffer.subarray(0, got.bytesRead)))
    }
    close(this.device)
  }

  #take(request: Buffer): void {
    const node = request.readBigUInt64LE(16)
    switch (request.readUInt32LE(4)) {
      case opcode.init: return this.#answer(request, initOut())
      case opcode.lookup: {
        const known = node === rootId && request.toString('utf8', headerBytes, request.length - 1) === gatedFile.name
        return known ? this.#answer(request, entryOut()) : this.#refuse(request, ENOENT)
      }
      case opcode.getattr: return this.#answer(request, Buffer.concat([Buffer.alloc(16), attributes(node)]))
      case opcode.open:
      case opcode.opendir: return this.#answer(request, openOut())
      case opcode.statfs: return this.#answer(request, Buffer.alloc(80))
      case opcode.read: {
        this.reads++
        const offset = Number(request.readBigUInt64LE(headerBytes + 8))
        const bytes = Math.max(0, Math.min(request.readUInt32LE(headerBytes + 16), gatedFile.bytes - offset))
        const answer = (): void => this.#answer(request, Buffer.alloc(bytes))
        if (this.#open) return answer()
        this.#waiting.push(answer)
        return
      }
      case opcode.flush:
      case opcode.release:
      case opcode.releasedir: return this.#answer(request, Buffer.alloc(0))
      case opcode.forget:
      case opcode.batchForget:
      case opcode.interrupt: return
      default: this.#refuse(request, ENOSYS)
    }
  }

  #answer(request: Buffer, body: Buffer, error = 0): void {
    const header = Buffer.alloc(16)
    header.writeUInt32LE(header.length + body.length)
    header.writeInt32LE(-error, 4)
    request.copy(header, 8, 8, 16) // unique
    try {
      writeSync(this.device, Buffer.concat([header, body]))
    } catch { /* Interrupted by its caller meanwhile (ENOENT), or unmounted. */ }
  }

  #refuse(request: Buffer, error: number): void {
    this.#answer(request, Buffer.alloc(0), error)
  }
}

/** struct fuse_init_out: protocol 7.31; FUSE_ASYNC_READ, so that readahead(2) does not wait. */
function initOut(): Buffer {
  const out = Buffer.alloc(64)
  out.writeUInt32LE(7)
  out.writeUInt32LE(31, 4)
  out.writeUInt32LE(128 * 1024, 8) // max_readahead
  out.writeUInt32LE(1, 12)
  out.writeUInt32LE(128 * 1024, 20) // max_write
  return out
}

/** struct fuse_entry_out; names and attributes are asked for each time. */
function entryOut(): Buffer {
  const out = Buffer.alloc(40)
  out.writeBigUInt64LE(fileId)
  return Buffer.concat([out, attributes(fileId)])
}

/** struct fuse_open_out: a read of the caller's is a read of ours. */
function openOut(): Buffer {
  const out = Buffer.alloc(16)
  out.writeUInt32LE(FOPEN_DIRECT_IO, 8)
  return out
}

/** struct fuse_attr. */
function attributes(node: bigint): Buffer {
  const out = Buffer.alloc(88)
  out.writeBigUInt64LE(node)
  out.writeBigUInt64LE(node === rootId ? 0n : BigInt(gatedFile.bytes), 8)
  out.writeUInt32LE(node === rootId ? S_IFDIR | 0o755 : S_IFREG | 0o644, 60)
  out.writeUInt32LE(1, 64)
  out.writeUInt32LE(4096, 80)
  return out
}
