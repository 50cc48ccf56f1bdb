import { expect, it } from 'vitest'
import type { Spec } from '../../protocol/oci/spec.ts'
import { withEtc } from './etc.ts'

const spec = (readonly = false): Spec => ({
  ociVersion: '1.1.0', root: { path: '/r', readonly },
  mounts: [{ destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['size=65536k'] }, { destination: '/etc/hosts', type: 'bind', source: '/kubelet/hosts', options: ['rbind'] }],
})

it("gives a container the pod's files and shared memory, and keeps what it mounts itself", () => {
  expect(withEtc(spec(), ['hosts', 'resolv.conf']).mounts).toEqual([
    { destination: '/dev/shm', type: 'bind', source: '/run/kata-ts/shm', options: ['rbind', 'nosuid', 'noexec', 'nodev'] },
    { destination: '/etc/hosts', type: 'bind', source: '/kubelet/hosts', options: ['rbind'] },
    { destination: '/etc/resolv.conf', type: 'bind', source: '/run/kata-ts/etc/resolv.conf', options: ['rbind', 'rprivate', 'rw'] },
  ])
  expect(withEtc(spec(true), ['resolv.conf']).mounts?.at(-1)?.options).toContain('ro')
})

it('changes nothing where containerd mounts its own', () => {
  expect(withEtc(spec(), [])).toEqual(spec())
})
