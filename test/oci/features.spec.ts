/** `kata-ts features`: every entry is tried, and what it says is not there is refused. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Features } from '../../protocol/oci/features.ts'
import type { LinuxSeccomp } from '../../protocol/oci/seccomp.ts'
import type { Spec } from '../../protocol/oci/spec.ts'
import { Bundle, bundleDirectory, type Change, field } from './bundle.ts'
import { runtimes } from './runtimes.ts'

const runtime = runtimes.find(({ name }) => name === 'kata-ts')
const hostStatus = readFileSync('/proc/self/status', 'utf8')

function featuresOf([program = '', ...first]: string[]): Required<Features> & { linux: Required<NonNullable<Features['linux']>> } {
  return JSON.parse(execFileSync(program, [...first, 'features'], { encoding: 'utf8' })) as ReturnType<typeof featuresOf>
}

describe.skipIf(!runtime)('features', () => {
  const own = runtime ?? { name: 'kata-ts' as const, command: [] }
  const document = featuresOf(own.command)
  const { linux } = document
  const namespaceFiles: Readonly<Record<string, string>> = { network: 'net', mount: 'mnt' }

  /** Runs a program to its end; gives its output. */
  async function runs(args: string[], change: Change, prepare: (bundle: Bundle) => void = () => undefined): Promise<string> {
    await using bundle = new Bundle(own, args, change)
    prepare(bundle)
    const { status, stdout, stderr } = bundle.run()
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    return stdout
  }

  async function refuses(says: RegExp, change: Change): Promise<void> {
    await using bundle = new Bundle(own, ['true'], change)
    const { status, stderr } = bundle.create()
    expect(status).not.toBe(0)
    expect(stderr).toMatch(says)
  }

  it('has every entry that runc has', () => {
    const theirs = featuresOf(['runc'])
    for (const part of ['hooks', 'mountOptions'] as const) expect(document[part], part).toEqual(expect.arrayContaining(theirs[part]))
    for (const part of ['namespaces', 'capabilities'] as const) expect(linux[part], part).toEqual(expect.arrayContaining(theirs.linux[part]))
    for (const part of ['actions', 'operators', 'archs'] as const) expect(linux.seccomp[part], part).toEqual(expect.arrayContaining(theirs.linux.seccomp[part] ?? []))
  })

  it.each(linux.namespaces)('has %s namespaces', async type => {
    const file = namespaceFiles[type] ?? type
    const seen = await runs(['readlink', `/proc/self/ns/${file}`], spec => {
      if (!spec.linux.namespaces?.some(one => one.type === type)) spec.linux.namespaces?.push({ type: type as 'pid' })
      if (type !== 'user') return
      spec.linux.uidMappings = [{ containerID: 0, hostID: 0, size: 65_536 }]
      spec.linux.gidMappings = [{ containerID: 0, hostID: 0, size: 65_536 }]
    })
    expect(seen.trim()).not.toBe(readlinkSync(`/proc/self/ns/${file}`))
  })

  it('refuses a namespace that it does not name', () => refuses(/nonsense/, spec => { spec.linux.namespaces?.push({ type: 'nonsense' as 'pid' }) }))

  it.each(document.hooks)('runs %s hooks', async point => {
    await using bundle = new Bundle(own, ['true'], spec => {
      // startContainer: of the container's files.
      const at = point === 'startContainer' ? '' : `${bundleDirectory}/rootfs`
      spec.hooks = { [point]: [{ path: '/bin/sh', args: ['sh', '-c', `echo ran > ${at}/tmp/hook`], env: ['PATH=/bin'] }] }
    })
    expect(bundle.run().status).toBe(0)
    expect(readFileSync(join(bundle.rootfs, 'tmp/hook'), 'utf8')).toBe('ran\n')
  })

  /** A mount with which the option means something. */
  function mountWith(option: string): NonNullable<Spec['mounts']>[number] {
    const destination = `/mnt/${option}`
    if (option === 'remount') return { destination: '/proc', type: 'proc', options: [option, 'ro'] }
    const map = [{ containerID: 0, hostID: 0, size: 65_536 }]
    if (option.endsWith('idmap')) return { destination, type: 'bind', source: `${bundleDirectory}/volume`, options: ['rbind', option], uidMappings: map, gidMappings: map }
    if (option.startsWith('r') || option === 'bind') return { destination, type: 'bind', source: `${bundleDirectory}/volume`, options: ['rbind', option] }
    return { destination, type: 'tmpfs', source: 'tmpfs', options: [option] }
  }

  it('takes every mount option', async () => {
    const seen = await runs(['cat', '/proc/self/mountinfo'], spec => { spec.mounts.push(...document.mountOptions.map(mountWith)) }, bundle => mkdirSync(join(bundle.directory, 'volume')))
    for (const option of document.mountOptions) if (option !== 'remount') expect(seen, option).toContain(` /mnt/${option} `)
  })

  it('refuses a mount option that it does not name', () => refuses(/nonsense/, spec => { spec.mounts.push({ destination: '/mnt', type: 'tmpfs', source: 'tmpfs', options: ['nonsense'] }) }))

  it('knows every capability, and gives those that there are to give', async () => {
    const all = [...linux.capabilities]
    await using bundle = new Bundle(own, ['grep', 'Cap', '/proc/self/status'], spec => { spec.process.capabilities = { bounding: all, effective: all, permitted: all, inheritable: all, ambient: all } })
    const { stdout, stderr } = bundle.run()
    expect(stderr).not.toContain('does not know')
    const given = BigInt(`0x${field(hostStatus, 'CapBnd')?.trim()}`) & BigInt(`0x${field(hostStatus, 'CapPrm')?.trim()}`) & ((1n << BigInt(all.length)) - 1n)
    for (const set of ['CapBnd', 'CapPrm', 'CapEff', 'CapInh', 'CapAmb']) expect(BigInt(`0x${field(stdout, set)?.trim()}`), set).toBe(given)
  })

  const filtered = (filter: Partial<LinuxSeccomp>): Change => spec => { spec.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW', ...filter } }
  const { actions = [], operators = [], archs = [], knownFlags = [], supportedFlags = [] } = linux.seccomp

  it.each(actions)('takes the seccomp action %s', async action => {
    const change = filtered({ syscalls: [{ names: ['swapon'], action: action as 'SCMP_ACT_LOG' }] })
    // Whom it would ask is missing, which test/oci/seccomp-notify.spec.ts has.
    if (action === 'SCMP_ACT_NOTIFY') await refuses(/listenerPath/, change)
    else expect(await runs(['grep', 'Seccomp:', '/proc/self/status'], change)).toContain('2')
  })

  it.each(operators)('takes the seccomp operator %s', async op => {
    expect(await runs(['grep', 'Seccomp:', '/proc/self/status'], filtered({ syscalls: [{ names: ['swapon'], action: 'SCMP_ACT_ERRNO', args: [{ index: 0, value: 1, valueTwo: 1, op: op as 'SCMP_CMP_EQ' }] }] }))).toContain('2')
  })

  it('takes every architecture of seccomp', async () => {
    expect(await runs(['grep', 'Seccomp:', '/proc/self/status'], filtered({ architectures: archs, syscalls: [{ names: ['swapon'], action: 'SCMP_ACT_ERRNO' }] }))).toContain('2')
  })

  it.each(supportedFlags)('takes the seccomp flag %s', async flag => {
    expect(knownFlags).toContain(flag)
    expect(await runs(['grep', 'Seccomp:', '/proc/self/status'], filtered({ flags: [flag], syscalls: [{ names: ['swapon'], action: 'SCMP_ACT_ERRNO' }] }))).toContain('2')
  })

  it.each([
    ['an action', /NONSENSE/, filtered({ syscalls: [{ names: ['swapon'], action: 'SCMP_ACT_NONSENSE' as 'SCMP_ACT_LOG' }] })],
    ['an operator', /NONSENSE/, filtered({ syscalls: [{ names: ['swapon'], action: 'SCMP_ACT_ERRNO', args: [{ index: 0, value: 1, op: 'SCMP_CMP_NONSENSE' as 'SCMP_CMP_EQ' }] }] })],
    ['a flag', /NONSENSE/, filtered({ flags: ['SECCOMP_FILTER_FLAG_NONSENSE'] })],
  ] as const)('refuses %s of seccomp that it does not name', (_what, says, change) => refuses(says, change))

  it('puts containers into the hierarchies of this host', async () => {
    expect(linux.cgroup).toMatchObject({ v1: true, v2: true })
    await using bundle = new Bundle(own, ['sleep', '100'])
    bundle.up()
    // Others' hierarchies, mounted elsewhere, come and go on a shared host.
    const places = readFileSync(`/proc/${bundle.pid}/cgroup`, 'utf8').trim().split('\n').filter(line => (existsSync('/sys/fs/cgroup/memory/tasks') ? /^\d+:(memory|pids):/.test(line) : line.startsWith('0::')))
    expect(places.length).toBeGreaterThan(0)
    for (const line of places) expect(line).toContain(bundle.cgroupsPath)
  })

  it.each([
    ['SELinux, of a process', linux.selinux.enabled, /selinuxLabel/, (spec => { spec.process.selinuxLabel = 'system_u:system_r:container_t:s0' }) satisfies Change],
    ['SELinux, of mounts', linux.selinux.enabled, /mountLabel/, (spec => { spec.linux.mountLabel = 'system_u:object_r:container_file_t:s0' }) satisfies Change],
    ['Intel RDT', linux.intelRdt.enabled, /intelRdt/, (spec => { spec.linux.intelRdt = { closID: 'x' } }) satisfies Change],
  ] as const)('says no to %s, and refuses it', async (_what, enabled, says, change) => {
    expect(enabled).toBe(false)
    await refuses(says, change)
  })

  it('takes an AppArmor profile for what it is, and says where there is no AppArmor', async () => {
    expect(linux.apparmor.enabled).toBe(true)
    const there = existsSync('/sys/module/apparmor/parameters/enabled')
    await refuses(there ? /AppArmor profile no-such-profile/ : /no AppArmor/, spec => { spec.process.apparmorProfile = 'no-such-profile' })
  })

  it('maps the ids of mounts', async () => {
    expect(linux.mountExtensions.idmap?.enabled).toBe(true)
    const map = [{ containerID: 0, hostID: 7, size: 1 }]
    const seen = await runs(['stat', '-c', '%u:%g', '/data/file'], spec => {
      spec.mounts.push({ destination: '/data', type: 'bind', source: `${bundleDirectory}/volume`, options: ['bind'], uidMappings: map, gidMappings: map })
    }, bundle => {
      mkdirSync(join(bundle.directory, 'volume'))
      writeFileSync(join(bundle.directory, 'volume/file'), '')
    })
    expect(seen).toBe('7:7\n')
  })
})
