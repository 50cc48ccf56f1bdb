import { cgroupMounts } from '../../../native/ts/cgroup-mounts.ts'
import { readText } from '../../../native/ts/file.ts'
import { Fault } from '../../../native/ts/fault.ts'
import type { Cgroup } from './cgroup.ts'
import { CgroupV1 } from './v1/cgroup.ts'
import { CgroupV2 } from './v2/cgroup.ts'

/**
 * The control group at `path` below the hierarchies' roots, as this machine has them mounted: cgroup v2 alone, or v1
 * hierarchies, with which an additional cgroup2 (the hybrid layout) has no controller that containers need.
 */
export function openCgroup(path: string, mountinfo = readText('/proc/self/mountinfo')): Cgroup {
  const clean = `/${path.split('/').filter(name => name !== '' && name !== '.').join('/')}`
  if (clean === '/' || clean.split('/').includes('..')) throw new Fault(`linux.cgroupsPath ${path} is no path of a cgroup`)
  const { v1, v2 } = cgroupMounts(mountinfo)
  if (v1.length > 0) return new CgroupV1(v1, clean)
  if (v2 !== undefined) return new CgroupV2(v2, clean)
  throw new Fault('no cgroup file system is mounted', { fix: 'mount cgroup2 on /sys/fs/cgroup' })
}
