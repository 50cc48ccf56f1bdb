import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { configFrom } from '../config/config.ts'
import { Journal } from '../journal.ts'
import { silentLog } from '../log.ts'
import { HostCgroup } from '../resources/host-cgroup.ts'
import { DaemonGroups } from './daemon-groups.ts'

const memory = '/sys/fs/cgroup/memory/pod/s1'
const mebibyte = 1024 * 1024

describe('DaemonGroups', () => {
  let maker: HostCgroup
  let journal: Journal

  beforeEach(() => {
    fake.reset()
    fake.makeParents('/run/kata-ts/default/s1/journal')
    journal = new Journal('/run/kata-ts/default/s1')
    fake.put('/proc/self/mountinfo', '30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n')
    fake.put('/proc/self/cgroup', '4:memory:/\n')
    fake.put('/sys/fs/cgroup/memory/pod/cgroup.procs', '')
    fake.onCall('mkdirat', (_dirfd: number, path: string) => { for (const file of ['cgroup.procs', 'memory.limit_in_bytes', 'memory.oom_control']) fake.put(`${path}/${file}`, ''); return 0 })
    maker = new HostCgroup('/pod/s1')
    maker.enter(journal)
  })
  const groups = (text = '') => new DaemonGroups(configFrom([{ path: 'x', text }]), maker, journal, silentLog)
  const limits = (name: string) => fake.callsOf('writeFile').filter(([, path]) => path === `${memory}/${name}/memory.limit_in_bytes`).map(([, , text]) => Number(text) / mebibyte)

  it('gives virtiofsd the limit of share.memory_mib, in a group that is journaled', () => {
    expect(groups('[share]\nmemory_mib = 100').virtiofsd()).toEqual([`${memory}/virtiofsd`])
    expect(limits('virtiofsd')).toEqual([100])
  })

  it('gives none where it is 0', () => {
    expect(groups('[share]\nmemory_mib = 0').virtiofsd()).toEqual([`${memory}/virtiofsd`])
    expect(limits('virtiofsd')).toEqual([])
  })

  it('gives the VMM its guest\'s memory and hypervisor.vmm_memory_mib beside it', () => {
    const made = groups('[hypervisor]\nmachine = "microvm"\nvmm_memory_mib = 10')
    expect(made.vmm()).toEqual([`${memory}/vmm`])
    made.allowMemory(256, { kind: 'kvm' })
    expect(limits('vmm')).toEqual([256 + 10 + 2])
  })

  it('tells whose limit a process was killed at', () => {
    const made = groups()
    made.virtiofsd()
    made.vmm()
    expect(made.whyKilled('virtiofsd')).toBe('')
    fake.put(`${memory}/virtiofsd/memory.oom_control`, 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n')
    expect([made.whyKilled('virtiofsd'), made.whyKilled('vmm')]).toEqual([': its limit of memory was reached (share.memory_mib)', ''])
  })
})
