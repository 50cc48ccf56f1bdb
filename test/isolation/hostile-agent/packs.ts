/**
 * Attacks after which the shim keeps its agent, so that one guest can do them one after the other: each takes place at the
 * shim's next StatsContainer. The last of a pack may end the guest.
 */
export const packs = {
  'many-frames': ['oversize-frame', 'answered-twice', 'stream-for-unary', 'request-of-its-own', 'unknown-type', 'reused-streams'],
  'many-answers': [
    'broken-envelope', 'broken-message', 'wrong-message', 'nested-groups', 'million-disks', 'million-page-sizes', 'million-details', 'many-disks', 'huge-counts', 'poisoned-error',
  ],
  'many-silences': ['never-answers', 'half-a-header'],
  'many-events': ['foreign-container', 'oom-flood', 'event-flood', 'stream-ends', 'impossible-status', 'poisoned-names'],
} as const

/** The attacks behind a name: those of a pack, or the one that is called so. */
export function attacksOf(name: string): readonly string[] {
  return Object.entries<readonly string[]>(packs).find(([pack]) => pack === name)?.[1] ?? [name]
}
