/** What `hack/test isolation` was told, as it hands it on in the environment. */
import { controlRuntime } from './attack.ts'

export const oursRuntime = 'io.containerd.kata-ts.v2'

const words = (name: string): string[] => (process.env[name] ?? '').split(/[\s,]+/).filter(Boolean)

/** Runtimes to attack. runc is always a column of its own: it says what a shared kernel gives. */
export function chosenRuntimes(): string[] {
  const named = words('KATA_TS_ISOLATION_RUNTIMES')
  const wrong = named.find((name) => !/^io\.containerd\.[\w-]+(\.[\w-]+)*\.v\d+$/.test(name))
  if (wrong !== undefined) throw new Error(`--runtime ${wrong} is no containerd runtime: name it like ${oursRuntime}`)
  return named.length > 0 ? named : [controlRuntime, oursRuntime]
}

export const withLong = (): boolean => process.env['KATA_TS_ISOLATION_LONG'] === '1'
/** Ids of the cases to run; empty: all. */
export const chosenCases = (): string[] => words('KATA_TS_ISOLATION_CASES')
export const jsonFile = (): string | undefined => process.env['KATA_TS_ISOLATION_JSON'] || undefined
export const junitFile = (): string | undefined => process.env['KATA_TS_ISOLATION_JUNIT'] || undefined
/** A containerd that stands already; if undefined the suite starts a private one. */
export const givenAddress = (): string | undefined => process.env['CONTAINERD_ADDRESS'] || undefined
