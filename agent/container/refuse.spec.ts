import { describe, expect, it } from 'vitest'
import type { Linux } from '../../protocol/oci/linux.ts'
import { refuseUnsupported } from './refuse.ts'

const withLinux = (linux: Linux) => () => refuseUnsupported({ ociVersion: '1.2.0', linux })

describe('what cannot be given is refused', () => {
  it.each([
    ['a mount label', { mountLabel: 'system_u:object_r:x' }, 'linux.mountLabel system_u:object_r:x'],
    ['Intel RDT', { intelRdt: { closID: 'x' } }, 'linux.intelRdt'],
  ] satisfies [string, Linux, string][])('%s', (_name, linux, says) => expect(withLinux(linux)).toThrow(says))
})
