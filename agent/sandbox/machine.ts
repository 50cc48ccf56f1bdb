import * as sys from 'native:sys'
import { MNT_DETACH } from '../../native/ts/constants/mount.ts'
import { check, E } from '../../native/ts/errno.ts'
import type { CreateSandboxRequest, IdMapping } from '../../protocol/gen/agent.ts'
import { setClock } from './clock.ts'
import { writeEtc } from './etc.ts'
import { seedRandom } from './entropy.ts'
import { writeResolvConf } from './resolv-conf.ts'
import { mountShare, shareDir } from './share.ts'
import { applySysctls } from './sysctl.ts'

/** HOST_NAME_MAX less one, which DNS allows a label (hostname(7)). */
const maxHostnameCharacters = 63

/** Makes the guest the sandbox's: time, randomness, name, resolver, sysctls, and the host's share. Throws with the step that failed. */
export function prepareGuest(request: CreateSandboxRequest): void {
  if (request.realtimeNs !== 0n) setClock(request.realtimeNs)
  if (request.entropy.length > 0) seedRandom(request.entropy)
  const hostname = request.hostname || request.sandboxId.slice(0, maxHostnameCharacters)
  if (hostname !== '') check('sethostname', hostname, sys.sethostname(hostname))
  if (request.dns.length > 0) writeResolvConf(request.dns)
  writeEtc(request.etc, { uid: mappedRoot(request.uidMappings), gid: mappedRoot(request.gidMappings) })
  applySysctls(request.sysctls)
  if (request.shareTag !== '') mountShare(request.shareTag)
}

/** Unmounts the share, with what is left below it, and writes what is dirty. */
export function releaseGuest(): void {
  const unmounted = sys.umount2(shareDir, MNT_DETACH)
  // EINVAL: it was never mounted.
  if (unmounted !== -E.EINVAL) check('umount', shareDir, unmounted)
  sys.sync()
}

/** What id 0 of a user namespace is outside of it; 0 where there is none. */
function mappedRoot(mappings: readonly IdMapping[]): number {
  return mappings.find(({ containerId }) => containerId === 0)?.hostId ?? 0
}
