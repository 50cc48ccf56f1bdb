import { describe, expect, it } from 'vitest'
import { pidNamespaceOf, type PidOwner } from './pid-namespace.ts'

const owners: Record<number, PidOwner> = { 100: { of: 'pod' }, 101: { of: 'container', id: 'c1' } }
const read = (path: string | undefined) => pidNamespaceOf([{ type: 'uts' }, path === undefined ? { type: 'pid' } : { type: 'pid', path }], pid => owners[pid])

describe('pidNamespaceOf', () => {
  it.each([
    [undefined, { of: 'own' }],
    ['', { of: 'own' }],
    ['/proc/100/ns/pid', { of: 'pod' }],
    ['/proc/101/ns/pid', { of: 'container', id: 'c1' }],
    ['/proc/101/task/101/ns/pid', { of: 'container', id: 'c1' }],
  ])('takes %s for %o', (path, expected) => {
    expect(read(path)).toEqual(expected)
  })

  it.each(['/proc/1/ns/pid', '/proc/100/ns/ipc', '/var/run/pidns/x', '/proc/100/../1/ns/pid'])('refuses %s, which is nobody of the pod', path => {
    expect(() => read(path)).toThrow('is not one of a running container of this pod')
  })
})
