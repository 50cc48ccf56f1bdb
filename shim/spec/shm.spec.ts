import { expect, it } from 'vitest'
import type { Spec } from '../../protocol/oci/spec.ts'
import { withPodShm } from './shm.ts'

const joined = [{ type: 'ipc' as const, path: '/proc/7/ns/ipc' }]
const spec = (shm?: { type: string }): Spec => ({
  ociVersion: '1.1.0',
  mounts: [{ destination: '/dev', type: 'tmpfs', source: 'tmpfs' }, ...shm ? [{ destination: '/dev/shm', source: 'shm', ...shm }] : []],
})
const destinations = (changed: Spec) => changed.mounts?.map(mount => `${mount.type ?? ''} ${mount.source ?? ''} ${mount.destination}`)

it('is the pod\'s for a container that joins its IPC namespace', () => {
  const expected = ['tmpfs tmpfs /dev', 'bind /guest/shm /dev/shm']
  expect(destinations(withPodShm(spec(), joined, () => '/guest/shm'))).toEqual(expected)
  expect(destinations(withPodShm(spec({ type: 'tmpfs' }), joined, () => '/guest/shm'))).toEqual(expected)
})

it.each([
  ['that the client binds from somewhere', spec({ type: 'bind' }), joined], ['of a container with an IPC namespace of its own', spec({ type: 'tmpfs' }), [{ type: 'ipc' as const }]],
])('leaves one %s alone', (_what, given, namespaces) => {
  expect(withPodShm(given, namespaces, () => { throw new Error('not asked for') })).toBe(given)
})
