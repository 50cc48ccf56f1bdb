import { absolutePath, type Check, list, needed, record, text, whole } from './check.ts'

/** A program run at one point of the container's life (config.md#posix-platform-hooks). */
export interface Hook {
  path: string
  /** As execve's argv: the first entry is the program's name. */
  args?: string[]
  /** `KEY=value` lines; nothing else is in its environment. */
  env?: string[]
  /** Seconds until it is killed; absent: no limit. */
  timeout?: number
}

/** The hooks of each point, each list in the order it runs in. */
export interface Hooks {
  /** Deprecated: runs where createRuntime does, before it. */
  prestart?: Hook[]
  createRuntime?: Hook[]
  createContainer?: Hook[]
  startContainer?: Hook[]
  poststart?: Hook[]
  poststop?: Hook[]
}

/** In the order of a container's life. */
export const hookPoints = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const satisfies (keyof Hooks)[]

const hook = record<Hook>(() => ({
  path: needed(absolutePath, 'give the absolute path of the program to run'),
  args: list(text),
  env: list(text),
  timeout: whole(1, 2 ** 31),
}))

const hooksOfOnePoint = list(hook)

/** Checks `hooks` (config.md#posix-platform-hooks). */
export const hooks: Check = record<Hooks>(() => ({
  prestart: hooksOfOnePoint,
  createRuntime: hooksOfOnePoint,
  createContainer: hooksOfOnePoint,
  startContainer: hooksOfOnePoint,
  poststart: hooksOfOnePoint,
  poststop: hooksOfOnePoint,
}))
