import type { Store } from './store.ts'

/** What every verb is given. */
export interface Context {
  store: Store
  /** Whether cgroup permission errors are ignored where no limits are asked for. */
  rootless: boolean
  /** Whether systemd makes the cgroups. */
  systemd: boolean
  /** A line for the log. */
  warn: (message: string) => void
  /** A line on stdout. */
  print: (text: string) => void
}

/** A verb: gives the process's exit status. */
export type Verb = (args: readonly string[], context: Context) => Promise<number>
