/** Two file systems of the host that fail as a user's may: one is full, the other's disk is. Both are real; nothing is faked. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import type { SpecMount } from '../e2e/spec.ts'
import type { Stack } from '../e2e/stack.ts'

/**
 * small:   a tmpfs of 1 MiB: ENOSPC.
 * failing: ext4 without a journal on a disk (a loop device) that shrank under it to 2 MiB: what is written behind that
 *          the kernel refuses, and fsync(2) gives EIO.
 */
export class Volumes {
  readonly #directory: string

  constructor(private readonly stack: Stack, id: string) {
    this.#directory = `${stack.directory}/soak/${id}`
    for (const name of ['small', 'backing', 'failing']) mkdirSync(`${this.#directory}/${name}`, { recursive: true })
    this.#inStack(`cd "$1"
      mount -t tmpfs -o size=1m,mode=777 soak small
      mount -t tmpfs -o size=32m soak backing
      truncate -s 24M backing/disk
      mkfs.ext4 -q -F -O ^has_journal -m 0 -N 16 -E lazy_itable_init=1 backing/disk
      mount -o loop,errors=continue backing/disk failing
      truncate -s 2M backing/disk
      losetup -c "$(losetup -nO NAME -j backing/disk)"`)
  }

  get mounts(): SpecMount[] {
    return ['small', 'failing'].map((name) => ({ destination: `/${name}`, type: 'bind', source: `${this.#directory}/${name}`, options: ['rbind', 'rw'] }))
  }

  remove(): void {
    // Each by itself: the first that cannot be unmounted does not keep the others.
    this.#inStack('cd "$1"; for i in failing backing small; do umount $i || umount -l $i; done')
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #inStack(script: string): void {
    execFileSync('nsenter', [`--mount=/proc/${this.stack.holderPid}/ns/mnt`, 'sh', '-ec', script, 'sh', this.#directory], { stdio: ['ignore', 'ignore', 'pipe'] })
  }
}
