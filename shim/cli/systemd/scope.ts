import { Fault } from '../../../native/ts/fault.ts'

/** Where systemd puts a container: the scope `unit` in `slice`. */
export interface Scope {
  unit: string
  slice: string
}

/** Takes `slice:prefix:name` apart (runc's docs/systemd.md). Nothing said: `defaultSlice`, and the container's id as name. */
export function parseScope(cgroupsPath: string | undefined, id: string, defaultSlice: string): Scope {
  const [slice = '', prefix = '', name = '', ...more] = cgroupsPath ? cgroupsPath.split(':') : ['', 'kata-ts', id]
  if (name === '' || more.length > 0) throw new Fault(`expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got ${JSON.stringify(cgroupsPath)} instead`)
  if (name.endsWith('.slice')) throw new Fault(`linux.cgroupsPath ${cgroupsPath}: a slice holds no processes`, { fix: 'name a scope' })
  const scope = { slice: slice || defaultSlice, unit: `${prefix === '' ? '' : `${prefix}-`}${name}.scope` }
  expandSlice(scope.slice)
  return scope
}

/** The cgroup of a slice, whose name holds those it is in: a-b.slice is /a.slice/a-b.slice (systemd.slice(5)). */
export function expandSlice(slice: string): string {
  if (slice === '-.slice') return ''
  const names = /^([A-Za-z0-9:_.\\-]+)\.slice$/.exec(slice)?.[1]?.split('-') ?? ['']
  if (names.includes('')) throw new Fault(`invalid slice name: ${slice}`, { fix: 'a slice is named as in system.slice or machine-kata.slice' })
  return names.map((_, index) => `/${names.slice(0, index + 1).join('-')}.slice`).join('')
}
