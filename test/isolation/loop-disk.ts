/** A disk of the host's: a loop device over a file, so that a write to the disk is seen in the file. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import type { Site } from './site.ts'

export class LoopDisk {
  readonly file: string
  readonly device: string
  readonly major: number
  readonly minor: number

  /**
   * Its first block holds the site's secret, unless it is made into a file system. Goes with the case. `beyondMib`: of the file
   * behind the disk's end, full of the secret: what lies next to it on the host.
   */
  constructor(private readonly site: Site, name: string, private readonly sizeMib = 1, beyondMib = 0) {
    this.file = `${site.directory}/${name}`
    writeFileSync(this.file, '')
    truncateSync(this.file, sizeMib + beyondMib << 20)
    const fd = openSync(this.file, 'r+')
    writeSync(fd, Buffer.from(`${site.secret}\n`), 0, null, 0)
    for (let at = sizeMib << 20; at < sizeMib + beyondMib << 20; at += 512) writeSync(fd, Buffer.from(`${site.secret}\n`), 0, null, at)
    closeSync(fd)
    this.device = execFileSync('losetup', ['--find', '--show', '--sizelimit', String(sizeMib << 20), this.file], { encoding: 'utf8' }).trim()
    onTestFinished(() => { execFileSync('losetup', ['--detach', this.device]) })
    const { rdev } = statSync(this.device)
    // Linux' makedev for small numbers: makedev(3).
    this.major = rdev >> 8 & 0xfff
    this.minor = rdev & 0xff
  }

  /** Whether a word stands on the disk now, in the host's eyes. */
  contains(word: string): boolean {
    execFileSync('blockdev', ['--flushbufs', this.device])
    return readFileSync(this.file).includes(word)
  }

  /** Of the whole file, or of what lies behind the disk's end. */
  hash(part: 'all' | 'beyond' = 'all'): string {
    execFileSync('blockdev', ['--flushbufs', this.device])
    return createHash('sha256').update(readFileSync(this.file).subarray(part === 'all' ? 0 : this.sizeMib << 20)).digest('hex')
  }

  get intact(): boolean { return this.contains(this.site.secret) }
}
