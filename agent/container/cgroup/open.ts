import { readText } from '../../../native/ts/file.ts'
import { Fault } from '../../../native/ts/fault.ts'
import type { Cgroup } from './cgroup.ts'
import { CgroupV1, type Hierarchy } from './v1/cgroup.ts'
import { CgroupV2 } from './v2/cgroup.ts'

const unescapes: Readonly<Record<string, string>> = { '\\040': ' ', '\\011': '\t', '\\012': '\n', '\\134': '\\' }

/** The v1 controllers that this runtime knows; a hierarchy of none of them (but systemd's, for tracking) is left alone. */
const controllers = new Set(['cpu', 'cpuacct', 'cpuset', 'memory', 'devices', 'freezer', 'blkio', 'pids', 'hugetlb', 'net_cls', 'net_prio', 'perf_event', 'rdma', 'name=systemd'])

/**
 * The control group at `path` below the hierarchies' roots, as this machine has them mounted: cgroup v2 alone, or v1
 * hierarchies, with which an additional cgroup2 (the hybrid layout) has no controller that containers need.
 */
export function openCgroup(path: string, mountinfo = readText('/proc/self/mountinfo')): Cgroup {
  const clean = `/${path.split('/').filter(name => name !== '' && name !== '.').join('/')}`
  if (clean === '/' || clean.split('/').includes('..')) throw new Fault(`linux.cgroupsPath ${path} is no path of a cgroup`)
  const { v1, v2 } = readMounts(mountinfo)
  if (v1.length > 0) return new CgroupV1(v1, clean)
  if (v2 !== undefined) return new CgroupV2(v2, clean)
  throw new Fault('no cgroup file system is mounted', { fix: 'mount cgroup2 on /sys/fs/cgroup' })
}

/** Cgroup mounts of /proc/self/mountinfo (proc(5)): the fields after ` - ` are type, source and superblock options. */
function readMounts(mountinfo: string): { v1: Hierarchy[]; v2: string | undefined } {
  const v1: Hierarchy[] = []
  let v2: string | undefined
  for (const line of mountinfo.split('\n')) {
    const [mount = '', superblock = ''] = line.split(' - ')
    const point = (mount.split(' ')[4] ?? '').replace(/\\0(40|11|12)|\\134/g, escape => unescapes[escape] ?? escape)
    const [type, , options = ''] = superblock.split(' ')
    if (type === 'cgroup2') v2 ??= point
    if (type !== 'cgroup') continue
    const names = options.split(',').filter(option => controllers.has(option))
    if (names.length > 0 && !v1.some(known => known.controllers.includes(names[0] ?? ''))) v1.push({ controllers: names, mountPoint: point })
  }
  return { v1, v2 }
}
