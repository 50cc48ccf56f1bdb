import { cgroupMounts } from '../../../native/ts/cgroup-mounts.ts'
import { Fault } from '../../../native/ts/fault.ts'
import { readText } from '../../../native/ts/file.ts'
import type { Spec } from '../../../protocol/oci/spec.ts'
import { worksForUser } from '../rootless.ts'
import { annotatedProperties } from './annotated-properties.ts'
import { SystemdCgroup } from './cgroup.ts'
import { deviceProperties } from './device-properties.ts'
import { resourceProperties } from './resource-properties.ts'
import { expandSlice, parseScope, type Scope } from './scope.ts'
import { type Property, Units } from './units.ts'

/** The scope that `linux.cgroupsPath` names, with nothing made yet. Rejects with Fault when no systemd answers. */
export async function planScope(spec: Spec, id: string): Promise<SystemdCgroup> {
  const own = worksForUser()
  const version = cgroupMounts(readText('/proc/self/mountinfo')).v1.length > 0 ? 'v1' : 'v2'
  if (own && version === 'v1') throw new Fault('--systemd-cgroup: systemd gives users no cgroups of version 1', { fix: 'use the cgroupfs driver (podman: --cgroup-manager cgroupfs)' })
  const scope = parseScope(spec.linux?.cgroupsPath, id, own ? 'user.slice' : 'system.slice')
  const properties = scopeProperties(spec, id, scope, version)
  using units = await Units.connect()
  return SystemdCgroup.planned({ unit: scope.unit, path: `${await units.controlGroup()}${expandSlice(scope.slice)}/${scope.unit}` }, properties, own)
}

/** What systemd is told of the scope, besides its process. */
export function scopeProperties(spec: Spec, id: string, { slice }: Scope, version: 'v1' | 'v2'): Property[] {
  const resources = spec.linux?.resources ?? {}
  const on = (name: string): Property => ({ name, signature: 'b', value: true })
  return [
    { name: 'Description', signature: 's', value: `kata-ts container ${id}` },
    { name: 'Slice', signature: 's', value: slice },
    // Below it the container is master; without its own dependencies it is not stopped before others at shutdown.
    on('Delegate'),
    { name: 'DefaultDependencies', signature: 'b', value: false },
    ...['CPUAccounting', 'MemoryAccounting', 'TasksAccounting', version === 'v2' ? 'IOAccounting' : 'BlockIOAccounting'].map(on),
    ...resourceProperties(resources, version),
    ...deviceProperties(resources.devices ?? []),
    ...annotatedProperties(spec.annotations),
  ]
}
