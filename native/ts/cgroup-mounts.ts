/** The control group hierarchies of this machine: v1, v2, or both (the hybrid layout). */

/** One mounted v1 hierarchy. */
export interface Hierarchy {
  controllers: string[]
  mountPoint: string
}

export interface CgroupMounts {
  v1: Hierarchy[]
  /** Mount point of the unified hierarchy. Beside v1 ones it has no controller that containers need. */
  v2: string | undefined
}

/** The v1 controllers that this runtime knows; a hierarchy of none of them (but systemd's, for tracking) is left alone. */
const controllers = new Set(['cpu', 'cpuacct', 'cpuset', 'memory', 'devices', 'freezer', 'blkio', 'pids', 'hugetlb', 'net_cls', 'net_prio', 'perf_event', 'rdma', 'name=systemd'])

const unescapes: Readonly<Record<string, string>> = { '\\040': ' ', '\\011': '\t', '\\012': '\n', '\\134': '\\' }

/** Cgroup mounts of /proc/self/mountinfo (proc(5)): the fields after ` - ` are type, source and superblock options. */
export function cgroupMounts(mountinfo: string): CgroupMounts {
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
