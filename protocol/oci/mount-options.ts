/** Names of mount options (config.md#linux-mount-options), by what they change. What each means is the agent's to say. */

/** Of a mount; with `r` before, of everything below it too. */
export const attributeOptions = [
  'ro', 'rw', 'nosuid', 'suid', 'nodev', 'dev', 'noexec', 'exec', 'nosymfollow', 'symfollow', 'nodiratime', 'diratime',
  'relatime', 'norelatime', 'noatime', 'atime', 'strictatime', 'nostrictatime',
] as const
export type AttributeOption = (typeof attributeOptions)[number]

export const propagationOptions = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave', 'unbindable', 'runbindable'] as const
export type PropagationOption = (typeof propagationOptions)[number]

/** Of the superblock, under the kernel's own names (fs/fs_context.c, common_set_sb_flag and common_clear_sb_flag). */
export const superblockOptions = ['sync', 'async', 'dirsync', 'mand', 'nomand', 'lazytime', 'nolazytime'] as const

/** Understood by mount(8) alone, or without meaning in the kernel. */
export const meaninglessOptions = [
  'defaults', 'silent', 'loud', 'iversion', 'noiversion', 'acl', 'noacl', '_netdev', 'auto', 'noauto', 'user', 'nouser', 'nofail',
] as const

/** How the mount comes about. */
export const bindOptions = ['bind', 'rbind'] as const
export const idMapOptions = ['idmap', 'ridmap'] as const
export const methodOptions = ['remount', 'tmpcopyup'] as const

/** Every option that is not handed to the file system. */
export const mountOptions: readonly string[] = [
  ...attributeOptions, ...attributeOptions.map(name => `r${name}`), ...propagationOptions, ...superblockOptions, ...meaninglessOptions,
  ...bindOptions, ...idMapOptions, ...methodOptions,
].sort()
