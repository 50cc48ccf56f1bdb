/** FUSE's requests as bytes (include/uapi/linux/fuse.h), and what comes back. */
import type { ChildProcessByStdio } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

export const op = {
  lookup: 1, getattr: 3, setattr: 4, readlink: 5, symlink: 6, mknod: 8, mkdir: 9, unlink: 10, rmdir: 11, rename: 12, link: 13, open: 14, read: 15, write: 16,
  release: 18, setxattr: 21, init: 26, opendir: 27, create: 35, ioctl: 39, fallocate: 43, rename2: 45, copyFileRange: 47, setupMapping: 48,
} as const

export interface Answer {
  /** 0, or an errno. */
  error: number
  body: Buffer
}

/** The share's top. */
export const root = 1n

const u32 = (...values: readonly number[]): Buffer => Buffer.concat(values.map(value => { const bytes = Buffer.alloc(4); bytes.writeUInt32LE(value >>> 0); return bytes }))
const u64 = (...values: readonly bigint[]): Buffer => Buffer.concat(values.map(value => { const bytes = Buffer.alloc(8); bytes.writeBigUInt64LE(value); return bytes }))
const name = (text: string): Buffer => Buffer.from(`${text}\0`)

/** An attacker that speaks FUSE to whoever answers at the other end of its pipe. */
export class Fuse {
  #unique = 0n
  readonly #lines: AsyncIterator<string>
  /** Whether nobody answers any more. */
  gone = false

  constructor(readonly child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  }

  async send(opcode: number, node: bigint, body: Uint8Array = new Uint8Array(0)): Promise<Answer> {
    const header = Buffer.concat([u32(40 + body.length, opcode), u64(++this.#unique, node), u32(0, 0, 1, 0)])
    return await this.raw(Buffer.concat([header, body]))
  }

  /** Bytes in the place of a request. */
  async raw(bytes: Buffer): Promise<Answer> {
    if (this.gone) return { error: -1, body: Buffer.alloc(0) }
    this.child.stdin.write(`${bytes.toString('hex')}\n`)
    const line: unknown = (await this.#lines.next()).value
    if (typeof line !== 'string' || line === 'X') this.gone = true
    const answer = typeof line === 'string' && line.startsWith('R ') ? Buffer.from(line.slice(2), 'hex') : Buffer.alloc(0)
    return answer.length < 16 ? { error: -1, body: Buffer.alloc(0) } : { error: -answer.readInt32LE(4), body: answer.subarray(16) }
  }

  /** The next line that is not an answer: of whoever goes on when the attacker has left. */
  async leave(): Promise<string> {
    this.child.stdin.end()
    const line: unknown = (await this.#lines.next()).value
    return typeof line === 'string' ? line : ''
  }

  /** Big writes and submounts, without which the daemon does not show mounts of the share. */
  init(): Promise<Answer> {
    return this.send(op.init, 0n, u32(7, 31, 1 << 17, 1 << 5 | 1 << 27))
  }

  /** The node of a name; undefined: none. */
  async lookup(parent: bigint, child: string): Promise<bigint | undefined> {
    const { error, body } = await this.send(op.lookup, parent, name(child))
    const node = error === 0 && body.length >= 8 ? body.readBigUInt64LE(0) : 0n
    return node === 0n ? undefined : node
  }

  /** The node at the end of a path. */
  async walk(...names: readonly string[]): Promise<bigint | undefined> {
    let node: bigint | undefined = root
    for (const each of names) node = node === undefined ? undefined : await this.lookup(node, each)
    return node
  }

  symlink(parent: bigint, at: string, target: string): Promise<Answer> { return this.send(op.symlink, parent, Buffer.concat([name(at), name(target)])) }
  mknod(parent: bigint, at: string, mode: number, device = 0): Promise<Answer> { return this.send(op.mknod, parent, Buffer.concat([u32(mode, device, 0, 0), name(at)])) }
  mkdir(parent: bigint, at: string): Promise<Answer> { return this.send(op.mkdir, parent, Buffer.concat([u32(0o755, 0), name(at)])) }
  unlink(parent: bigint, at: string): Promise<Answer> { return this.send(op.unlink, parent, name(at)) }
  rmdir(parent: bigint, at: string): Promise<Answer> { return this.send(op.rmdir, parent, name(at)) }
  rename(from: bigint, at: string, to: bigint, as: string): Promise<Answer> { return this.send(op.rename, from, Buffer.concat([u64(to), name(at), name(as)])) }
  link(node: bigint, to: bigint, as: string): Promise<Answer> { return this.send(op.link, to, Buffer.concat([u64(node), name(as)])) }
  create(parent: bigint, at: string, mode: number, flags = 0o102): Promise<Answer> { return this.send(op.create, parent, Buffer.concat([u32(flags, mode, 0, 0), name(at)])) }
  setxattr(node: bigint, key: string, value: Uint8Array): Promise<Answer> { return this.send(op.setxattr, node, Buffer.concat([u32(value.length, 0), name(key), value])) }
  write(fh: bigint, node: bigint, data: string, writeFlags = 0): Promise<Answer> {
    return this.send(op.write, node, Buffer.concat([u64(fh, 0n), u32(data.length, writeFlags), u64(0n), u32(2, 0), Buffer.from(data)]))
  }
  read(fh: bigint, node: bigint): Promise<Answer> { return this.send(op.read, node, Buffer.concat([u64(fh, 0n), u32(4096, 0), u64(0n), u32(0, 0)])) }
  truncate(node: bigint): Promise<Answer> { return this.setattr(node, 1 << 3, 0) }
  chmod(node: bigint, mode: number): Promise<Answer> { return this.setattr(node, 1 << 0, mode) }
  /** `valid`: FATTR_*. struct fuse_setattr_in. */
  setattr(node: bigint, valid: number, mode: number): Promise<Answer> {
    return this.send(op.setattr, node, Buffer.concat([u32(valid, 0), u64(0n, 0n, 0n, 0n, 0n, 0n), u32(0, 0, 0, mode, 0, 0, 0, 0)]))
  }
  fallocate(fh: bigint, node: bigint): Promise<Answer> { return this.send(op.fallocate, node, Buffer.concat([u64(fh, 0n, 65536n), u32(0, 0)])) }

  /** Opens a node; its handle, undefined where that is refused. */
  async open(node: bigint, flags = 0, opcode: number = op.open): Promise<bigint | undefined> {
    const { error, body } = await this.send(opcode, node, u32(flags, 0))
    return error === 0 && body.length >= 8 ? body.readBigUInt64LE(0) : undefined
  }

  /** What a node gives when it is opened and read; undefined where one of the two is refused. */
  async content(node: bigint): Promise<string | undefined> {
    const fh = await this.open(node)
    if (fh === undefined) return undefined
    const { error, body } = await this.read(fh, node)
    return error === 0 ? body.toString('latin1') : undefined
  }
}
