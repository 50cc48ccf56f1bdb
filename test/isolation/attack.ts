/** What a case of the isolation suite is. One file of cases/FAMILY/ each, which exports it as `attack`. */
import type { AttackedHost } from './containerd-host.ts'
import type { Site } from './site.ts'

/** Whom the attack goes against: the container's neighbours and its kernel, the host by way of the guest's kernel, the host by way of the pod's own words, or everybody by using things up. */
export type Family = 'container' | 'guest' | 'author' | 'resources'
export const families: readonly Family[] = ['container', 'guest', 'author', 'resources']

/**
 * How far an attack got. `container`: nowhere. `guest`: it has another container of the pod, or the kernel that the pod
 * has for itself. `host`: something of the host's, or of another pod's, was read, changed or put out of order.
 */
export type Reach = 'container' | 'guest' | 'host'
export const reaches: readonly Reach[] = ['container', 'guest', 'host']

/** `evidence` is one line of what was seen: on the host for what concerns the host, never the attacker's word or an exit code alone. */
export interface Verdict { reach: Reach; evidence: string }

/**
 * Against what the attack must be seen to get through, or the case proves nothing. `none` says why no such thing can be
 * shown on the machines this runs on; the table repeats it.
 */
export type Control =
  | {
    /** The guard that is off: «runc with the host's PID namespace». */
    weak: string
    /** How far the attack must get; the host if left out. */
    reach?: Exclude<Reach, 'container'>
    /** Shim that is attacked, runc's if left out. Not used by a `run` that is its own double. */
    runtime?: string
    /** Why it cannot be shown on this host; undefined where it can. */
    unavailable?: (host: AttackedHost) => string | undefined
    /** Runs against the weak thing; if left out `attack.run` with `site.weak` set. */
    run?: (site: Site) => Promise<Verdict>
  }
  | { none: string }

export interface Attack {
  /** The CVE or advisory if there is one, else a short name of the field. Unique. */
  id: string
  title: string
  family: Family
  /** What is lost if it gets through. */
  leak: string
  /** The farthest that it may get where a pod has a kernel of its own. */
  bound: Exclude<Reach, 'host'>
  run: (site: Site) => Promise<Verdict>
  control: Control
  /** Why it is taken as it is that it gets farther with this runtime; stands in the table with the evidence. Rare: only where a user of the runtime would expect no better. */
  accepted?: (runtime: string) => string | undefined
  /** Why it has no meaning for this runtime; undefined where it has. */
  notFor?: (runtime: string) => string | undefined
  /** Takes longer than a few seconds: only with --long. */
  long?: true
}

export const contained = (evidence: string): Verdict => ({ reach: 'container', evidence })
export const reachedGuest = (evidence: string): Verdict => ({ reach: 'guest', evidence })
export const escaped = (evidence: string): Verdict => ({ reach: 'host', evidence })

/** Whether a verdict goes no farther than allowed. */
export const within = (reach: Reach, bound: Reach): boolean => reaches.indexOf(reach) <= reaches.indexOf(bound)

/** A runtime whose containers share the host's kernel: what the suite compares with, not what it judges. */
export const isControl = (runtime: string): boolean => /^io\.containerd\.(runc|crun)\./.test(runtime)

export const controlRuntime = 'io.containerd.runc.v2'
