import { describe, expect, it } from 'vitest'
import type { Mount } from '../../protocol/oci/spec.ts'
import { refuseUnsupported } from './refuse.ts'

const withMount = (more: Partial<Mount>) => () => refuseUnsupported({ ociVersion: '1.2.0', mounts: [{ destination: '/data', type: 'bind', source: '/x', ...more }] })

describe('what cannot be given is refused', () => {
  it.each([
    ['the option idmap', { options: ['rbind', 'idmap'] }],
    ['the option ridmap', { options: ['ridmap'] }],
    ['mappings', { uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }], gidMappings: [{ containerID: 0, hostID: 1000, size: 1 }] }],
  ])('ID-mapped mounts by %s', (_name, more) => expect(withMount(more)).toThrow('mount /data: this runtime does not map the ids of mounts'))

  it('and a plain bind is not', () => expect(withMount({ options: ['rbind', 'ro'] })).not.toThrow())
})
