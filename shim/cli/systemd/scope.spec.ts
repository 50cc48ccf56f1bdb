import { describe, expect, it } from 'vitest'
import { expandSlice, parseScope } from './scope.ts'

describe('linux.cgroupsPath with systemd', () => {
  it.each([
    ['machine.slice:libpod:c1', { slice: 'machine.slice', unit: 'libpod-c1.scope' }],
    ['kubepods-burstable-pod1.slice:crio:c1', { slice: 'kubepods-burstable-pod1.slice', unit: 'crio-c1.scope' }],
    [':p:c1', { slice: 'system.slice', unit: 'p-c1.scope' }],
    ['a.slice::c1', { slice: 'a.slice', unit: 'c1.scope' }],
    [undefined, { slice: 'system.slice', unit: 'kata-ts-id.scope' }],
    ['', { slice: 'system.slice', unit: 'kata-ts-id.scope' }],
  ])('%j', (path, scope) => expect(parseScope(path, 'id', 'system.slice')).toEqual(scope))

  it.each([
    ['/a/path', /slice:prefix:name/], ['a.slice:b', /slice:prefix:name/], ['a.slice:b:c:d', /slice:prefix:name/], ['a.slice:b:', /slice:prefix:name/],
    ['a:b:c', /invalid slice name: a/], ['a/b.slice:p:c', /invalid slice name/], ['a.slice:b:c.slice', /a slice holds no processes/],
  ])('%j is refused', (path, says) => expect(() => parseScope(path, 'id', 'system.slice')).toThrow(says))
})

describe('a slice', () => {
  it.each([['system.slice', '/system.slice'], ['a-b-c.slice', '/a.slice/a-b.slice/a-b-c.slice'], ['-.slice', '']])('%s has the cgroup %j', (slice, path) => expect(expandSlice(slice)).toBe(path))
  it.each(['a--b.slice', '-a.slice', 'a-.slice', '.slice', '../x.slice', 'a'])('%s is none', slice => expect(() => expandSlice(slice)).toThrow(/invalid slice name/))
})
