import { describe, expect, it } from 'vitest'
import { configFrom } from '../../config/config.ts'
import { kernelCommandLine, qemuArguments, type CommandLineParts } from './command-line.ts'

const config = configFrom([])
const parts: CommandLineParts = {
  sandboxId: 's1', hypervisor: config.hypervisor, room: { maxMemoryMib: 256, possibleVcpus: 1 }, guest: config.guest, verbose: false, accelerator: { kind: 'tcg', tscKhz: 2_100_000 },
  qmpFd: 3, consoleFd: 4, vsock: { kind: 'vhost-user', fd: 5, controlPort: 1024 }, fsFd: 6, kernel: '/guest/kernel', initrd: '/guest/initrd', firmware: '/guest/firmware', nics: [],
}
const pairs = (words: string[]) => words.map((word, at) => (word.startsWith('-') ? `${word} ${words[at + 1] ?? ''}` : ''))

describe('qemuArguments', () => {
  it('has no default device, no file of the host\'s configuration and no display', () => {
    expect(qemuArguments(parts)).toEqual(expect.arrayContaining(['-nodefaults', '-no-user-config', '-no-reboot']))
    expect(pairs(qemuArguments(parts))).toContain('-display none')
  })

  it('bounds the random numbers that a guest may ask for, and with them the memory that QEMU takes for a request', () => {
    expect(pairs(qemuArguments(parts))).toContain('-device virtio-rng-pci,max-bytes=65536,period=100')
  })

  it.each([
    ['microvm under TCG', parts, ['-machine microvm,pcie=on,memory-backend=mem,dump-guest-core=off', '-accel tcg,thread=multi', '-cpu max']],
    ['q35 under KVM', { ...parts, hypervisor: { ...parts.hypervisor, machine: 'q35' }, accelerator: { kind: 'kvm' } },
      ['-machine q35,memory-backend=mem,dump-guest-core=off', '-accel kvm', '-cpu host']],
    ['a CPU model of the user\'s', { ...parts, hypervisor: { ...parts.hypervisor, cpu: 'max,-avx' } }, ['-cpu max,-avx']],
    ['the vsock daemon', parts, ['-chardev socket,id=vsock,fd=5', '-device vhost-user-vsock-pci,chardev=vsock']],
    ['the kernel\'s vsock', { ...parts, vsock: { kind: 'vhost', fd: 5, guestCid: 77, controlPort: 5000 } }, ['-device vhost-vsock-pci,vhostfd=5,guest-cid=77']],
    ['memory that daemons share', parts, ['-m 256M', '-object memory-backend-memfd,id=mem,size=256M,share=on']],
    ['QMP and console as descriptors', parts, ['-chardev socket,id=qmp,fd=3', '-chardev socket,id=console,fd=4']],
    ['the share', parts, ['-chardev socket,id=fs,fd=6', '-device vhost-user-fs-pci,chardev=fs,tag=kata-ts']],
    ['a NIC by its descriptor', { ...parts, nics: [{ id: 'net0', mac: '02:00:00:00:00:01', mtu: 1450, tapFd: 10 }] },
      ['-netdev tap,id=net0,fd=10', '-device virtio-net-pci,netdev=net0,id=net0-device,mac=02:00:00:00:00:01,romfile=,host_mtu=1450']],
    ['a NIC in the care of the host kernel', { ...parts, nics: [{ id: 'net0', mac: '02:00:00:00:00:01', mtu: 0, tapFd: 10, vhostFd: 11 }] },
      ['-netdev tap,id=net0,fd=10,vhost=on,vhostfd=11', '-device virtio-net-pci,netdev=net0,id=net0-device,mac=02:00:00:00:00:01,romfile=']],
    ['a system call filter', parts, ['-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny']],
  ] satisfies [string, CommandLineParts, string[]][])('names %s', (_what, given, expected) => {
    expect(pairs(qemuArguments(given))).toEqual(expect.arrayContaining(expected))
  })

  it('leaves room to grow, none of which is used at first', () => {
    const grows = { ...parts, room: { maxMemoryMib: 1025, possibleVcpus: 4 } }
    expect(pairs(qemuArguments(grows))).toEqual(expect.arrayContaining([
      '-smp 4', '-m 256M,maxmem=1024M', '-object memory-backend-memfd,id=mem,size=256M,share=on', '-object memory-backend-memfd,id=room,size=768M,share=on',
      '-device virtio-mem-pci,id=virtiomem,memdev=room,requested-size=0',
    ]))
    expect(kernelCommandLine(grows)).toContain(' maxcpus=1 memory_hotplug.online_policy=auto-movable ')
    expect(qemuArguments(parts).join(' ')).not.toMatch(/maxmem|virtio-mem/)
  })

  it('leaves the system call filter out where it is switched off', () => {
    expect(qemuArguments({ ...parts, hypervisor: { ...parts.hypervisor, sandbox: false } })).not.toContain('-sandbox')
  })

  it('names kernel, image and firmware as the VMM sees them', () => {
    expect(pairs(qemuArguments(parts))).toEqual(expect.arrayContaining(['-kernel /guest/kernel', '-initrd /guest/initrd', '-bios /guest/firmware']))
  })

  it('names no unix socket path: everything is handed over open', () => {
    expect(qemuArguments(parts).join(' ')).not.toMatch(/path=|server=/)
  })
})

describe('kernelCommandLine', () => {
  it('tells an emulated guest the frequencies it cannot measure', () => {
    expect(kernelCommandLine(parts)).toBe(
      'console=ttyS0 quiet panic=-1 tsc=reliable tsc_early_khz=2100000 lapic_timer_khz=1000000 noreplace-smp pcie_ports=native')
  })

  it('has no emulated guest with a timer chip try it out: under load it would fail, and panic', () => {
    const q35 = { ...parts, hypervisor: { ...parts.hypervisor, machine: 'q35' as const } }
    expect(kernelCommandLine(q35)).toContain(' no_timer_check ')
    expect(kernelCommandLine({ ...q35, accelerator: { kind: 'kvm' } })).not.toContain('no_timer_check')
  })

  it('leaves them to kvm-clock under KVM', () => {
    expect(kernelCommandLine({ ...parts, accelerator: { kind: 'kvm' } })).toBe('console=ttyS0 quiet panic=-1 noreplace-smp pcie_ports=native')
  })

  it('tells the agent a control port that is not the usual one', () => {
    expect(kernelCommandLine({ ...parts, vsock: { kind: 'vhost', fd: 5, guestCid: 77, controlPort: 5000 } })).toMatch(/ kata_ts\.control_port=5000$/)
  })

  it('ends with the user\'s words, and is verbose when asked', () => {
    const line = kernelCommandLine({ ...parts, verbose: true, guest: { ...parts.guest, kernelParams: 'loglevel=7 a=b' } })
    expect(line).toMatch(/ loglevel=7 a=b$/)
    expect(line).not.toContain('quiet')
  })
})
