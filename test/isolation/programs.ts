/** Attackers that a shell cannot be: small C programs of programs/, statically linked so that every container runs them. */
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { checkout } from '../e2e/stack.ts'

/** The path of a program on the host, built when its source or a header is newer. */
export function program(name: string): string {
  const source = `${checkout}/test/isolation/programs/${name}.c`
  const binary = `${checkout}/build/test/isolation/${name}`
  const folder = dirname(source)
  const headers = readdirSync(folder).filter((each) => each.endsWith('.h')).map((each) => `${folder}/${each}`)
  if ((statSync(binary, { throwIfNoEntry: false })?.mtimeMs ?? 0) <= Math.max(...[source, ...headers].map((path) => statSync(path).mtimeMs))) {
    mkdirSync(dirname(binary), { recursive: true })
    execFileSync('gcc', ['-static', '-O1', '-D_GNU_SOURCE', '-Wall', '-Werror', '-o', binary, source], { stdio: ['ignore', 'inherit', 'inherit'] })
  }
  return binary
}

/** Puts a program into a root file system, at /attack/NAME. Use as a container's `rootfs`. */
export function install(layer: string, ...names: string[]): void {
  mkdirSync(`${layer}/attack`, { recursive: true })
  for (const name of names) {
    copyFileSync(program(name), `${layer}/attack/${name}`)
    chmodSync(`${layer}/attack/${name}`, 0o755)
  }
}
