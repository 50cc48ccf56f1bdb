/**
 * File systems that are windows into the host's kernel. None may be reached through the share: a file of the host's
 * /proc or /sys in the hands of virtiofsd's root would be the host in the hands of the guest.
 */

/** By the name that /proc/self/mountinfo shows. */
const names = new Set([
  'proc', 'sysfs', 'cgroup', 'cgroup2', 'debugfs', 'tracefs', 'securityfs', 'bpf', 'configfs', 'pstore', 'efivarfs',
  'selinuxfs', 'smackfs', 'binfmt_misc', 'fusectl', 'nsfs', 'rpc_pipefs', 'resctrl', 'devpts', 'mqueue', 'autofs',
])

/** By statfs(2) f_type: include/uapi/linux/magic.h. */
const magics = new Set([
  0x9fa0 /* proc */, 0x62656572 /* sysfs */, 0x27e0eb /* cgroup */, 0x63677270 /* cgroup2 */, 0x64626720 /* debugfs */,
  0x74726163 /* tracefs */, 0x73636673 /* securityfs */, 0xcafe4a11 /* bpf */, 0x62656570 /* configfs */, 0x6165676c /* pstore */,
  0xde5e81e4 /* efivarfs */, 0xf97cff8c /* selinux */, 0x43415d53 /* smack */, 0x42494e4d /* binfmt_misc */, 0x65735543 /* fusectl */,
  0x6e736673 /* nsfs */, 0x7655821 /* resctrl */, 0x1cd1 /* devpts */, 0x19800202 /* mqueue */, 0x187 /* autofs */,
])

/** By statfs(2)'s f_type. */
export function isKernelFileSystem(magic: number): boolean {
  // statfs gives f_type as a signed word on some paths: compare as unsigned.
  return magics.has(magic >>> 0)
}

/** A mount below some directory, as /proc/self/mountinfo lists it (proc_pid_mountinfo(5)). */
export interface MountInfo {
  point: string
  type: string
  /** `major:minor` of the file system, and which part of it is mounted. */
  device: string
  root: string
}

/** The mounts at and below `top`, deepest last. */
export function mountsBelow(mountinfo: string, top: string): MountInfo[] {
  const found: MountInfo[] = []
  for (const line of mountinfo.split('\n')) {
    const words = line.split(' ')
    const dash = words.indexOf('-', 6)
    const point = unescapeOctal(words[4] ?? '')
    if (dash > 0 && (point === top || point.startsWith(`${top}/`))) found.push({ point, type: words[dash + 1] ?? '', device: words[2] ?? '', root: unescapeOctal(words[3] ?? '') })
  }
  return found
}

/** Those of them that are interfaces of the kernel. */
export function kernelMountsBelow(mountinfo: string, top: string): MountInfo[] {
  return mountsBelow(mountinfo, top).filter(mount => names.has(mount.type))
}

/** mountinfo writes space, tab, newline and backslash of a path in octal. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_whole, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
