/** The directories that a raw FUSE case attacks, and the two servers it is run against. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import { checkout } from '../../e2e/stack.ts'
import { program } from '../programs.ts'
import type { Site } from '../site.ts'
import { Fuse } from './fuse.ts'

/** What became of the host's side when the attacker had left (host.ts). */
export interface Report {
  daemonLived: boolean
  /** How the shim calls the state it is in. */
  status: string
  /** Of each bind in the share. */
  flags: string[]
  /** Extended attributes that `writable/file` has on the host. */
  attributes: string[]
  said: string
  /** Mounts of the next container that lie elsewhere than in the share. */
  strangers?: string[]
  error?: string
  /** Mounts that stayed. */
  left: string[]
}

/** Names of the share as host.ts makes it. */
export const writable = ['.binds', '0'] as const
export const readonly = ['.binds', '1'] as const
export const rootfs = ['c1', 'rootfs'] as const

/** A share of the shim's with its daemon, in a mount namespace of its own; `outside/canary` holds the site's secret. */
export async function guarded(site: Site): Promise<Fuse> {
  prepare(site)
  return await begin('unshare', ['--mount', hostSide(), site.directory, program('raw-fuse')])
}

let built: string | undefined
/** The program of host.ts. */
export function hostSide(): string {
  if (built !== undefined) return built
  const path = `${checkout}/build/test/isolation/raw-fuse-host`
  execFileSync(`${checkout}/hack/build-bin`, ['--bundle', `${checkout}/test/isolation/raw-fuse/host.ts`, '-o', path], { stdio: ['ignore', 'ignore', 'inherit'] })
  built = path
  return path
}

/** A file server that believes names and handles, on the same directories (`.binds/0` is `writable`). */
export async function naive(site: Site): Promise<Fuse> {
  prepare(site)
  mkdirSync(`${site.directory}/share/.binds`, { recursive: true })
  execFileSync('ln', ['-s', `${site.directory}/writable`, `${site.directory}/share/.binds/0`])
  execFileSync('ln', ['-s', `${site.directory}/readonly`, `${site.directory}/share/.binds/1`])
  return await begin(program('raw-fuse'), ['--naive', `${site.directory}/share`])
}

export function prepare(site: Site): void {
  for (const name of ['rootfs', 'writable', 'readonly', 'outside']) mkdirSync(`${site.directory}/${name}`)
  for (const name of ['writable', 'readonly', 'rootfs']) writeFileSync(`${site.directory}/${name}/file`, `content of ${name}\n`)
  site.plant('outside/canary')
}

async function begin(command: string, args: readonly string[]): Promise<Fuse> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => { child.kill('SIGKILL') })
  child.stdin.on('error', () => undefined)
  const fuse = new Fuse(child)
  const { error } = await fuse.init()
  if (error !== 0) throw new Error(`FUSE_INIT: error ${error}`)
  return fuse
}

/** The report of the host's side; ends it. */
export async function reportOf(fuse: Fuse): Promise<Report> {
  return JSON.parse(await fuse.leave()) as Report // host.ts prints one
}
