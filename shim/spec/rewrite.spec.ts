import { describe, expect, it } from 'vitest'
import type { Spec } from '../../protocol/oci/spec.ts'
import { wantsGuestDevices } from './devices.ts'
import { hostHooks } from './hooks.ts'
import { requestedDisks } from './disks.ts'
import { guestSpec } from './rewrite.ts'

const namespaces = ['pid', 'network', 'ipc', 'uts', 'mount'].map(type => ({ type })) as NonNullable<Spec['linux']>['namespaces']

function rewritten(change: Partial<Spec>, ownKernel = true): { spec: Spec; binds: unknown[]; dropped: string[] } {
  const binds: unknown[] = []
  const dropped: string[] = []
  const base: Spec = { ociVersion: '1.1.0', root: { path: 'rootfs', readonly: true }, process: { args: ['true'], cwd: '/', user: { uid: 0, gid: 0 } } as Spec['process'] & object, linux: { namespaces: namespaces ?? [] } }
  const spec = guestSpec({ ...base, ...change }, {
    rootPath: '/guest/rootfs',
    bind: (source, options) => { binds.push([source, options]); return `/guest/mounts/${source.endsWith('/tree') ? 'tree' : binds.length - 1}` },
    hasMountsBelow: path => path.endsWith('/tree'),
    guestPath: (_source, destination) => destination === '/dev/shm' ? '/guest/shm' : undefined,
    disks: requestedDisks({ ...base, ...change }.linux ?? {}, device => device.path.startsWith('/dev/host')),
    ownKernel,
    dropped: what => dropped.push(what),
  })
  return { spec, binds, dropped }
}

describe('guestSpec', () => {
  it('puts the root on the share and keeps it read-only', () => {
    expect(rewritten({}).spec.root).toEqual({ path: '/guest/rootfs', readonly: true })
  })

  it('keeps a container without a VM in its own network, and in what its pod shares', () => {
    const given = [{ type: 'pid' as const }, { type: 'network' as const, path: '/run/netns/pod' }, { type: 'ipc' as const, path: '/proc/7/ns/ipc' }, { type: 'uts' as const }]
    const types = (ownKernel: boolean) => rewritten({ linux: { namespaces: given } }, ownKernel).spec.linux?.namespaces?.map(({ type, path }) => path ?? type)
    expect(types(false)).toEqual(['pid', 'mount', 'cgroup', '/run/netns/pod', '/proc/7/ns/ipc', 'uts'])
    expect(types(true)).toEqual(['pid', 'uts', 'mount', 'cgroup'])
  })

  it('brings bind mounts into the share, with read-only told to the host', () => {
    const { spec, binds } = rewritten({ mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/etc/hosts', type: 'bind', source: '/var/hosts', options: ['rbind', 'ro'] },
      { destination: '/data', type: 'none', source: '/srv/data', options: ['bind', 'ro', 'rw', 'rslave'] },
    ] })
    expect(spec.mounts?.map(mount => mount.source)).toEqual(['proc', '/guest/mounts/0', '/guest/mounts/1'])
    expect(binds).toEqual([['/var/hosts', { readonly: true, readonlyBelow: false, recursive: true, follow: false }], ['/srv/data', { readonly: false, readonlyBelow: false, recursive: false, follow: true }]])
  })

  it.each([
    [['rbind', 'ro'], ['rbind']], [['rbind', 'rro'], ['rbind', 'rro']], [['bind', 'ro'], ['bind', 'ro']], [['rbind', 'rw'], ['rbind', 'rw']],
  ])('leaves read-only to the host where mounts below have to stay writable: %j gives %j', (options, expected) => {
    const { spec } = rewritten({ mounts: [{ destination: '/data', type: 'bind', source: '/srv/tree', options }] })
    expect(spec.mounts?.map(mount => mount.options)).toEqual([expected])
  })

  it("takes what the guest has in its own memory from there", () => {
    const { spec, binds } = rewritten({ mounts: [{ destination: '/dev/shm', type: 'bind', source: '/run/pod/shm', options: ['rbind', 'noexec'] }] })
    expect(spec.mounts).toEqual([{ destination: '/dev/shm', type: 'bind', source: '/guest/shm', options: ['rbind', 'noexec'] }])
    expect(binds).toEqual([])
  })

  it.each(['shared', 'rshared'])('refuses a %s mount: nothing of it could reach the host', propagation => {
    expect(() => rewritten({ mounts: [{ destination: '/m', type: 'bind', source: '/srv', options: ['rbind', propagation] }] }))
      .toThrow(`bind mount of /srv at /m is ${propagation}: mounts made in a microVM cannot reach the host; use mountPropagation None or HostToContainer`)
  })

  it.each([['/proc/sys', '/x'], ['/sys/fs/cgroup', '/cg']])('refuses to bind %s elsewhere', (source, destination) => {
    expect(() => rewritten({ mounts: [{ destination, type: 'bind', source, options: ['rbind'] }] })).toThrow("would show the host's kernel")
  })

  it.each(['network', 'pid', 'ipc'])('refuses the %s namespace of the host', missing => {
    const kept = namespaces?.filter(namespace => namespace.type !== missing) ?? []
    expect(() => rewritten({ linux: { namespaces: kept } })).toThrow(/asks for the host/)
  })

  it('leaves the network to the guest, adds cgroup and drops what names the host', () => {
    const { spec, dropped } = rewritten({ linux: {
      namespaces: [{ type: 'pid' }, { type: 'network', path: '/var/run/netns/x' }, { type: 'ipc', path: '/proc/9/ns/ipc' }, { type: 'uts' }],
      cgroupsPath: '/default/c1', mountLabel: 'system_u', resources: { cpu: { cpus: '0-3', shares: 512 }, blockIO: { weight: 500 } },
    } })
    expect(spec.linux?.namespaces).toEqual([{ type: 'pid' }, { type: 'uts' }, { type: 'mount' }, { type: 'cgroup' }])
    expect(spec.linux).not.toHaveProperty('cgroupsPath')
    expect(spec.linux?.resources).toEqual({ cpu: { shares: 512 } })
    expect(dropped).toHaveLength(2)
  })

  it('keeps devices that every kernel has, refuses others, and leaves them out for a privileged container', () => {
    const fuse = { path: '/dev/fuse', type: 'c', major: 10, minor: 229 }
    const kvm = { path: '/dev/kvm', type: 'c', major: 10, minor: 232 }
    const linux = { namespaces: namespaces ?? [], devices: [fuse, kvm] }
    expect(() => rewritten({ linux })).toThrow('device /dev/kvm of the host cannot be given')
    const resources = { devices: [{ allow: true, access: 'rwm' }] }
    const nil = { path: '/dev/null', type: 'c', major: 1, minor: 3 }
    const privileged = { ...linux, resources, devices: [nil, ...linux.devices] }
    const { spec, dropped } = rewritten({ linux: privileged })
    expect(spec.linux?.devices).toEqual([nil, fuse])
    expect(dropped[0]).toContain('/dev/kvm')
    expect(wantsGuestDevices({ ociVersion: '1.1.0', linux: privileged })).toBe(true)
  })

  it("gives the guest's devices to a privileged container without the host's (privileged_without_host_devices), and to no other", () => {
    const all = ['CAP_SYS_ADMIN', 'CAP_SYS_RAWIO', 'CAP_MKNOD']
    const spec = (capabilities: string[], sysOption: string, linux: Spec['linux'] = {}): Spec => ({
      ociVersion: '1.1.0', linux, mounts: [{ destination: '/sys', type: 'sysfs', source: 'sysfs', options: [sysOption] }],
      process: { args: ['true'], cwd: '/', user: { uid: 0, gid: 0 }, capabilities: { bounding: capabilities } },
    })
    expect(wantsGuestDevices(spec(all, 'rw'))).toBe(true)
    expect(wantsGuestDevices(spec(all, 'ro'))).toBe(false)
    expect(wantsGuestDevices(spec(['CAP_MKNOD'], 'rw'))).toBe(false)
    expect(wantsGuestDevices(spec(all, 'rw', { maskedPaths: ['/proc/keys'] }))).toBe(false)
    expect(wantsGuestDevices(spec(['CAP_MKNOD'], 'ro', { resources: { devices: [{ allow: true, access: 'rwm' }] } }))).toBe(false)
  })

  it('refuses a device that was asked for by name, whatever the rules allow', () => {
    const linux = { namespaces: namespaces ?? [], resources: { devices: [{ allow: true, access: 'rwm' }] } }
    expect(() => rewritten({ linux: { ...linux, devices: [{ path: '/dev/kvm', type: 'c', major: 10, minor: 232 }] } })).toThrow('device /dev/kvm')
  })

  it.each([[1, 1], [1, 2], [1, 4], [10, 232]])('refuses the character device %i:%i, which the guest has not', (major, minor) => {
    expect(() => rewritten({ linux: { namespaces: namespaces ?? [], devices: [{ path: '/dev/x', type: 'c', major, minor }] } })).toThrow('device /dev/x')
  })

  it('keeps block devices, which are plugged in, with rules that mean them alone', () => {
    const disk = { path: '/dev/xvda', type: 'b', major: 7, minor: 3 }
    const rules = [{ allow: false, access: 'rwm' }, { allow: true, type: 'b', major: 8, minor: 0, access: 'rwm' }, { allow: true, type: 'b', major: 7, access: 'r' }, { allow: true, type: 'b', access: 'm' }]
    const { spec } = rewritten({ linux: { namespaces: namespaces ?? [], devices: [disk], resources: { devices: rules } } })
    expect(spec.linux?.devices).toEqual([disk])
    expect(spec.linux?.resources?.devices).toEqual([rules[0], { allow: true, type: 'b', major: 7, minor: 3, access: 'r' }, rules[3]])
  })

  it('leaves the host\'s own disks out for a privileged container, not what it was given besides', () => {
    const devices = [{ path: '/dev/null', type: 'c', major: 1, minor: 3 }, { path: '/dev/host1', type: 'b', major: 8, minor: 1 }, { path: '/dev/xvda', type: 'b', major: 8, minor: 2 }]
    const { spec, dropped } = rewritten({ linux: { namespaces: namespaces ?? [], devices, resources: { devices: [{ allow: true, access: 'rwm' }] } } })
    expect(spec.linux?.devices).toEqual([devices[0], devices[2]])
    expect(dropped[0]).toContain('/dev/host1')
  })

  it('runs startContainer hooks in the guest only, and refuses createContainer hooks', () => {
    const { spec } = rewritten({ hooks: { prestart: [{ path: '/host' }], startContainer: [{ path: '/inside' }] } })
    expect(spec.hooks).toEqual({ startContainer: [{ path: '/inside' }] })
    expect(() => rewritten({ hooks: { createContainer: [{ path: '/both' }] } })).toThrow('createContainer hook /both')
  })

  it.each([
    ['/usr/bin/nvidia-container-runtime-hook', ['nvidia-container-runtime-hook', 'prestart']],
    ['/usr/local/bin/wrapper', ['/usr/bin/nvidia-ctk', 'hook', 'create-symlinks']],
  ])('refuses %s, which would prepare devices in the wrong kernel', (path, args) => {
    expect(() => hostHooks({ prestart: [{ path, args }] })).toThrow(`hook ${path} prepares devices of the host`)
    expect(hostHooks({ prestart: [{ path: '/usr/bin/dockerd', args: ['libnetwork-setkey', 'id'] }] }).create).toHaveLength(1)
  })

  it('drops labels of security modules that the guest does not have', () => {
    const process = { args: ['true'], cwd: '/', user: { uid: 0, gid: 0 }, apparmorProfile: 'docker-default' } as NonNullable<Spec['process']>
    const { spec, dropped } = rewritten({ process })
    expect(spec.process).not.toHaveProperty('apparmorProfile')
    expect(dropped[0]).toContain('docker-default')
  })
})
