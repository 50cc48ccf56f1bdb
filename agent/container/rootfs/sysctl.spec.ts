import { describe, expect, it } from 'vitest'
import type { NamespaceType } from '../../../protocol/oci/linux.ts'
import { sysctlPath } from '../../../protocol/oci/sysctl.ts'
import { checkSysctls } from './sysctl.ts'

const separate = new Set<NamespaceType>(['ipc', 'network', 'uts'])

describe('sysctls', () => {
  it.each([
    ['net.ipv4.ip_forward', 'net/ipv4/ip_forward'], ['net/ipv4/conf/eth0.100/rp_filter', 'net/ipv4/conf/eth0.100/rp_filter'],
    ['net.ipv4.conf.eth0/100.rp_filter', 'net/ipv4/conf/eth0.100/rp_filter'],
  ])('%s is at %s', (key, path) => {
    expect(sysctlPath(key)).toBe(path)
  })

  it.each(['net.ipv4.ip_forward', 'net/ipv4/conf/eth0.100/rp_filter', 'kernel.shmmax', 'kernel.sem', 'fs.mqueue.msg_max', 'kernel.domainname'])('allows %s', key => {
    expect(() => checkSysctls({ [key]: '1' }, separate)).not.toThrow()
  })

  it.each(['vm.swappiness', 'kernel.core_pattern', 'kernel.hostname.x', 'fs.file-max', 'net/../kernel/core_pattern', 'net/ipv4/../../kernel/core_pattern', 'net//x', '/net/ipv4', 'network.x'])('refuses %s', key => {
    expect(() => checkSysctls({ [key]: '1' }, separate)).toThrow(/linux.sysctl/)
  })

  it('refuses one whose namespace is the runtime’s', () => {
    expect(() => checkSysctls({ 'net.ipv4.ip_forward': '1' }, new Set(['ipc']))).toThrow(/own network namespace/)
  })
})
