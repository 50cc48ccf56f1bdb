import { describe, expect, it } from 'vitest'
import { excess } from './confinement.ts'
import type { ProcessView } from './process-view.ts'

const shutIn: ProcessView = {
  pid: 7, name: 'qemu', uid: 1_900_000_000, gid: 1_900_000_000, groups: [], capabilities: [], bounding: [], noNewPrivs: true, seccomp: 2,
  sharedNamespaces: [], openFiles: [], memoryLimitBytes: 1, tasksLimit: 1, coreLimitBytes: 1, root: ['etc', 'guest', 'usr'], writable: [], signals: [], traces: [],
}

describe('excess', () => {
  it('is nothing for a process that is shut in', () => {
    expect(excess(shutIn, 'vmm')).toEqual([])
    expect(excess({ ...shutIn, writable: ['/sockets'] }, 'vsock')).toEqual([])
    expect(excess({ ...shutIn, uid: 0, capabilities: ['CHOWN'], root: ['proc'], writable: ['/c/rootfs'] }, 'virtiofsd')).toEqual([])
    expect(excess({ ...shutIn, uid: 0, seccomp: 0 }, 'virtiofsd')).toEqual([])
  })

  it.each([
    [{ uid: 0 }, 'runs as root'], [{ groups: [36] }, 'is in the groups 36'], [{ capabilities: ['SYS_ADMIN'] }, 'has capabilities SYS_ADMIN'],
    [{ noNewPrivs: false }, 'may gain privileges by execve'], [{ seccomp: 0 }, 'has no filter of system calls'],
    [{ sharedNamespaces: ['mnt', 'net'] }, 'shares namespaces mnt net with the host'], [{ root: ['proc', 'usr', 'home'] }, 'sees /proc /home'],
    [{ writable: ['/a', '/b', '/c', '/d'] }, 'may write /a /b /c and 1 more'], [{ signals: [1, 2] }, 'may signal 2 processes'], [{ traces: [2] }, 'may trace 1 processes'],
    [{ tasksLimit: undefined }, 'has no limit of processes'], [{ memoryLimitBytes: undefined }, 'has no limit of memory'], [{ coreLimitBytes: Infinity }, 'may leave a core dump'],
  ] satisfies [Partial<ProcessView>, string][])('sees %j', (change, expected) => expect(excess({ ...shutIn, ...change }, 'vmm')).toEqual([expected]))

  it('lets virtiofsd have what acts for users in the share, and no more', () => {
    expect(excess({ ...shutIn, capabilities: ['CHOWN', 'SYS_ADMIN'] }, 'virtiofsd')).toEqual(['has capabilities SYS_ADMIN'])
    expect(excess({ ...shutIn, capabilities: ['CHOWN'], seccomp: 0 }, 'virtiofsd')).toEqual(['has no filter of system calls'])
  })
})
