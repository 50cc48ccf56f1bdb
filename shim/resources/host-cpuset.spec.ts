import { describe, expect, it } from 'vitest'
import { type Cpuset, HostCpuset } from './host-cpuset.ts'

function recorded(): { cpuset: HostCpuset; bound: Cpuset[]; fail: (error: Error | undefined) => void } {
  const bound: Cpuset[] = []
  let failure: Error | undefined
  const cpuset = new HostCpuset(wanted => {
    if (failure) throw failure
    bound.push(wanted)
  })
  return { cpuset, bound, fail: error => { failure = error } }
}
const cpus = (list: string, mems = ''): { cpu: { cpus: string; mems: string } } => ({ cpu: { cpus: list, mems } })

describe('HostCpuset', () => {
  it('does nothing for containers without a cpuset', () => {
    const { cpuset, bound } = recorded()
    cpuset.set('a', {})
    cpuset.set('b', cpus(''))
    cpuset.remove('a')
    expect(bound).toEqual([])
  })

  it('binds the VM to the CPUs of all its containers, and follows those that come, change and go', () => {
    const { cpuset, bound } = recorded()
    cpuset.set('a', cpus('2-3', '0'))
    cpuset.set('b', cpus('5', '0'))
    cpuset.set('b', cpus('6'))
    cpuset.remove('a')
    cpuset.remove('b')
    expect(bound).toEqual([{ cpus: '2-3', mems: '0' }, { cpus: '2-3,5', mems: '0' }, { cpus: '2-3,6', mems: '0' }, { cpus: '6', mems: '0' }])
  })

  it('leaves the VM free while one container is', () => {
    const { cpuset, bound } = recorded()
    cpuset.set('a', cpus('1'))
    cpuset.set('free', {})
    cpuset.remove('free')
    expect(bound.map(each => each.cpus)).toEqual(['1', '', '1'])
  })

  it('forgets a cpuset that the host refuses', () => {
    const { cpuset, bound, fail } = recorded()
    cpuset.set('a', cpus('1'))
    fail(new Error('EINVAL'))
    expect(() => cpuset.set('b', cpus('99'))).toThrow('EINVAL')
    fail(undefined)
    cpuset.set('a', cpus('0'))
    expect(bound.map(each => each.cpus)).toEqual(['1', '0'])
  })
})
