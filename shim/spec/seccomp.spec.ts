import { expect, it } from 'vitest'
import type { LinuxSeccomp } from '../../protocol/oci/seccomp.ts'
import { guestSeccomp } from './seccomp.ts'

const filter: LinuxSeccomp = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }] }

it('gives a guest the filter without the way to an agent that no rule asks', () => {
  expect(guestSeccomp({ ...filter, listenerPath: '/run/agent', listenerMetadata: 'x' })).toEqual(filter)
})

it.each([
  { ...filter, defaultAction: 'SCMP_ACT_NOTIFY' }, { ...filter, syscalls: [{ names: ['mount'], action: 'SCMP_ACT_NOTIFY' }] },
] satisfies LinuxSeccomp[])('refuses a filter that asks an agent of the host', asking => {
  expect(() => guestSeccomp(asking)).toThrow('SCMP_ACT_NOTIFY asks an agent of the host')
})
