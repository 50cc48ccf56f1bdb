/** A bundle on the host for a runtime's command line: what a case is shown on where containerd's shim would be in the way. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { baseSpec, type Spec } from '../e2e/spec.ts'
import { program } from './programs.ts'
import type { Site } from './site.ts'

/** A busybox of the host's as root file system; `change` changes the spec that clients send by default. Gives its directory; goes with the case. */
export function makeBundle(site: Site, args: readonly string[], change: (spec: Spec) => void = () => undefined): string {
  const bundle = `${site.directory}/bundle`
  for (const name of ['bin', 'dev', 'proc', 'sys', 'run', 'v']) mkdirSync(`${bundle}/rootfs/${name}`, { recursive: true })
  copyFileSync(execFileSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim(), `${bundle}/rootfs/bin/busybox`)
  for (const name of ['sh', 'cat', 'sleep']) symlinkSync('busybox', `${bundle}/rootfs/bin/${name}`)
  const spec = baseSpec(bundleId(site), args)
  change(spec)
  writeFileSync(`${bundle}/config.json`, JSON.stringify(spec))
  return bundle
}

export const bundleId = (site: Site): string => `e2e-bundle-${site.secret.slice(-12)}`

/** What programs/win-race.c holds a runtime at: the `count`-th call with a path that ends so. */
export interface Moment { swap: 'during' | 'after'; call: 'mount' | 'stat'; path: string; count: number }

/** `runc run` on a terminal, with `one` and `other` exchanged at that moment: what an attacker sees who wins the race. Its output. */
export function runWinning(site: Site, bundle: string, { swap, call, path, count }: Moment, one: string, other: string): string {
  const words = [program('win-race'), swap, call, path, String(count), one, other, 'runc', '--root', `${site.directory}/state`, 'run', '--bundle', bundle, bundleId(site)]
  // Its exit code says nothing: the attack may have got through and the container have failed, or the other way round.
  return execFileSync('sh', ['-c', 'script --quiet --command "$1" /dev/null </dev/null || true', 'sh', words.join(' ')], { encoding: 'utf8', timeout: 60_000 })
}
