import * as sys from 'native:sys'
import { capabilityNumber } from '../../../native/ts/constants/capability.ts'
import { PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_RAISE, PR_CAPBSET_DROP, PR_CAPBSET_READ } from '../../../native/ts/constants/prctl.ts'
import { check, checked } from '../../../native/ts/errno.ts'
import type { Capabilities } from '../../../protocol/oci/process.ts'

/** Capability sets as bit masks (capabilities(7)). */
export interface CapabilityPlan {
  bounding: bigint
  effective: bigint
  permitted: bigint
  inheritable: bigint
  ambient: bigint
  /** The highest capability of this kernel. Read before anything of the container's can be in the way. */
  last: number
}

/** The highest number a kernel could have in version 3 of the interface. */
const highest = 63

/**
 * The sets the spec asks for. A name that this kernel does not know, or that this process may not give,
 * is left out with a warning (config.md#linux-process); no capabilities at all means none.
 */
export function planCapabilities(wanted: Capabilities | undefined, warn: (message: string) => void, mapped = false): CapabilityPlan {
  const own = ownCapabilities()
  const { last } = own
  // Whoever enters a user namespace of its own has every capability in it (user_namespaces(7)).
  const grantable = mapped ? (1n << BigInt(last + 1)) - 1n : own.grantable
  const unknown = new Set<string>()
  const refused = new Set<string>()
  const mask = (names: readonly string[] | undefined): bigint => {
    let bits = 0n
    for (const name of names ?? []) {
      const number = capabilityNumber(name)
      if (number === undefined || number > last) unknown.add(name)
      else if ((grantable & bit(number)) === 0n) refused.add(name)
      else bits |= bit(number)
    }
    return bits
  }
  const permitted = mask(wanted?.permitted)
  const inheritable = mask(wanted?.inheritable)
  const plan = {
    bounding: mask(wanted?.bounding),
    // What is not permitted cannot be effective, nor ambient what is not both permitted and inheritable.
    effective: mask(wanted?.effective) & permitted,
    permitted,
    inheritable,
    ambient: mask(wanted?.ambient) & permitted & inheritable,
    last,
  }
  if (unknown.size > 0) warn(`capabilities that this kernel does not know are left out: ${[...unknown].join(', ')}`)
  if (refused.size > 0) warn(`capabilities that the runtime itself does not have are left out: ${[...refused].join(', ')}`)
  return plan
}

let own: { last: number; grantable: bigint } | undefined

/** The last capability, and those this process has to give: in its bounding set and permitted. Read once. */
function ownCapabilities(): { last: number; grantable: bigint } {
  if (own) return own
  let last = -1
  let bounding = 0n
  for (let number = 0; number <= highest; number++) {
    const read = sys.prctl(PR_CAPBSET_READ, number, 0, 0, 0)
    if (read < 0) break
    last = number
    if (read > 0) bounding |= bit(number)
  }
  own = { last, grantable: bounding & checked('capget', '', sys.capget(0)).permitted }
  return own
}

/** Takes from the bounding set what is not in the plan: needs CAP_SETPCAP, so it comes before the user changes. */
export function dropBounding(plan: CapabilityPlan): void {
  for (let number = 0; number <= plan.last; number++) {
    if ((plan.bounding & bit(number)) !== 0n) continue
    check('prctl', `PR_CAPBSET_DROP ${number}`, sys.prctl(PR_CAPBSET_DROP, number, 0, 0, 0))
  }
}

/** Makes effective what a change of user left permitted (PR_SET_KEEPCAPS keeps only that). */
export function regainEffective(): void {
  const { permitted, inheritable } = checked('capget', '', sys.capget(0))
  check('capset', 'permitted as effective', sys.capset(permitted, permitted, inheritable))
}

/** The last change: the sets that execve(2) starts from. */
export function applyCapabilities(plan: CapabilityPlan): void {
  check('capset', 'the sets of the spec', sys.capset(plan.effective, plan.permitted, plan.inheritable))
  check('prctl', 'PR_CAP_AMBIENT_CLEAR_ALL', sys.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
  for (let number = 0; number <= plan.last; number++) {
    if ((plan.ambient & bit(number)) === 0n) continue
    check('prctl', `PR_CAP_AMBIENT_RAISE ${number}`, sys.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0))
  }
}

function bit(number: number): bigint {
  return 1n << BigInt(number)
}
