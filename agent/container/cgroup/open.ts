import { cgroupMounts } from '../../../native/ts/cgroup-mounts.ts'
import { readText } from '../../../native/ts/file.ts'
import { Fault } from '../../../native/ts/fault.ts'
import type { Cgroup } from './cgroup.ts'
import { mayMake, NoCgroup } from './none.ts'
import { CgroupV1 } from './v1/cgroup.ts'
import { CgroupV2 } from './v2/cgroup.ts'

/**
 * The control group at `path` below the hierarchies' roots, as this machine has them mounted: cgroup v2 alone, or v1
 * hierarchies, with which an additional cgroup2 (the hybrid layout) has no controller that containers need.
 * `optional`: none where this process may not make one (a user without rights on the host), and no device rules where it may not set any.
 */
export function openCgroup(path: string, optional = false, mountinfo = readText('/proc/self/mountinfo')): Cgroup {
  if (path.includes(':')) throw new Fault(`linux.cgroupsPath ${path} is one of the systemd cgroup driver`, { fix: 'give --systemd-cgroup, or a path' })
  const clean = `/${path.split('/').filter(name => name !== '' && name !== '.').join('/')}`
  if (clean === '/' || clean.split('/').includes('..')) throw new Fault(`linux.cgroupsPath ${path} is no path of a cgroup`)
  const { v1, v2 } = cgroupMounts(mountinfo)
  const found = v1.length > 0 ? new CgroupV1(v1, clean) : v2 === undefined ? undefined : new CgroupV2(v2, clean, optional)
  if (optional && !mayMake(found?.directories ?? [])) return new NoCgroup()
  if (found) return found
  throw new Fault('no cgroup file system is mounted', { fix: 'mount cgroup2 on /sys/fs/cgroup' })
}
