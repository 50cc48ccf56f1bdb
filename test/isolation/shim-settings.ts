/** What a case changes on the private containerd, and what the shims there say. */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import type { Stack } from '../e2e/stack.ts'

let layers = 0

/** Adds to the configuration of every shim that starts from now on; gives what takes it back, which the case's end does in any event. */
export function configureShims(stack: Stack, toml: string): () => void {
  const layer = `${stack.directory}/kata-ts/config.d/95-isolation-${layers++}.toml`
  writeFileSync(layer, toml)
  const forget = (): void => rmSync(layer, { force: true })
  onTestFinished(forget)
  return forget
}

/** The log of containerd and its shims from here on, as often as it is asked for. */
export function logFromNow(stack: Stack): () => string {
  const path = `${stack.directory}/containerd.log`
  const from = statSync(path).size
  return () => readFileSync(path).subarray(from).toString()
}
