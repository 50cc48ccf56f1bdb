import type { Container } from './container.ts'

/** Sends a signal (runtime.md#kill). False when nobody is there to get it. */
export function killContainer(container: Container, signal: number, all: boolean): boolean {
  if (!all) return container.init.kill(signal)
  const count = container.pids().length
  container.cgroup.killAll(signal)
  return count > 0
}
