/** Keys of the runtime spec that have no file of their own here. */
import { readlinkSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Bundle, type Change } from './bundle.ts'
import { type CaseOptions, conformance } from './runtimes.ts'

/** rlimit name → what /proc/<pid>/limits calls it (fs/proc/base.c), and a value that nobody needs a capability for. */
const limits: readonly [name: string, title: string, value: number][] = [
  ['CPU', 'Max cpu time', 1000], ['FSIZE', 'Max file size', 1_000_000_000], ['DATA', 'Max data size', 2_000_000_000], ['STACK', 'Max stack size', 8_000_000],
  ['CORE', 'Max core file size', 0], ['RSS', 'Max resident set', 2_000_000_000], ['NPROC', 'Max processes', 900], ['NOFILE', 'Max open files', 100],
  ['MEMLOCK', 'Max locked memory', 65_536], ['AS', 'Max address space', 9_000_000_000], ['LOCKS', 'Max file locks', 90], ['SIGPENDING', 'Max pending signals', 80],
  ['MSGQUEUE', 'Max msgqueue size', 70_000], ['NICE', 'Max nice priority', 0], ['RTPRIO', 'Max realtime priority', 0], ['RTTIME', 'Max realtime timeout', 60_000_000],
]

conformance('further keys', test => {
  test('process.rlimits takes every name', async runtime => {
    await using bundle = new Bundle(runtime, ['cat', '/proc/self/limits'], spec => {
      spec.process.rlimits = limits.map(([name, , value]) => ({ type: `RLIMIT_${name}`, soft: value, hard: value }))
    })
    const { stdout } = bundle.run()
    for (const [name, title, value] of limits) expect(stdout, name).toMatch(new RegExp(`^${title}\\s+${value}\\s+${value}\\s`, 'm'))
  })

  test('mounts: a relative source counts from the bundle', async runtime => {
    await using bundle = new Bundle(runtime, ['cat', '/data/file'], spec => { spec.mounts.push({ destination: '/data', type: 'bind', source: 'volume', options: ['bind'] }) })
    mkdirSync(join(bundle.directory, 'volume'))
    writeFileSync(join(bundle.directory, 'volume/file'), 'of the bundle\n')
    expect(bundle.run().stdout).toBe('of the bundle\n')
  }, { except: { crun: '1.8 counts from its own directory' } })

  test('sections for other systems and keys of later versions are nobody’s business here', async runtime => {
    await using bundle = new Bundle(runtime, ['echo', 'runs'], spec => {
      Object.assign(spec, { windows: { layerFolders: ['C:\\layer'] }, solaris: { milestone: 'x' }, zos: {}, vm: { kernel: { path: '/vmlinux' } }, futureKey: { a: 1 } })
      Object.assign(spec.linux, { futureKey: [] })
      Object.assign(spec.process, { commandLine: 'cmd', futureKey: true })
      Object.assign(spec.process.user, { username: 'somebody' })
    })
    expect(bundle.run().stdout).toBe('runs\n')
  })

  test('linux.personality is an exec’s, too', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'], spec => { spec.linux.personality = { domain: 'LINUX32' } })
    bundle.up()
    expect(bundle.exec(['uname', '-m']).stdout).toBe('i686\n')
  }, { except: { runc: '1.1 ignores it' } })

  const later: CaseOptions = { alone: 'runtime-spec 1.1' }

  test('linux.personality.flags is a warning', async runtime => {
    await using bundle = new Bundle(runtime, ['uname', '-m'], spec => { spec.linux.personality = { domain: 'LINUX32', flags: ['ADDR_NO_RANDOMIZE'] } })
    const { stdout, stderr } = bundle.run()
    expect(stdout).toBe('i686\n')
    expect(stderr).toContain('linux.personality.flags')
  }, later)

  test('linux.namespaces: a time namespace is joined by its path, with its offsets', async runtime => {
    await using first = new Bundle(runtime, ['sleep', '100'], spec => {
      spec.linux.namespaces?.push({ type: 'time' })
      spec.linux.timeOffsets = { boottime: { secs: 2_000_000 } }
    })
    first.up()
    const path = `/proc/${first.pid}/ns/time`
    await using second = new Bundle(runtime, ['sh', '-c', 'readlink /proc/self/ns/time; cut -d. -f1 /proc/uptime'], spec => { spec.linux.namespaces?.push({ type: 'time', path }) })
    const [namespace, uptime] = second.run().stdout.split('\n')
    expect(namespace).toBe(readlinkSync(path))
    expect(Number(uptime)).toBeGreaterThan(2_000_000)
    expect(first.exec(['readlink', '/proc/self/ns/time']).stdout).toBe(`${namespace}\n`)
  }, later)

  const offsets: Change = spec => { spec.linux.timeOffsets = { boottime: { secs: 1 } } }
  for (const [why, says, change] of [
    ['without a time namespace', /time namespace/, offsets],
    ['for a time namespace that is there already', /there already/, spec => { offsets(spec); spec.linux.namespaces?.push({ type: 'time', path: '/proc/self/ns/time' }) }],
    ['for another clock', /realtime/, spec => { spec.linux.timeOffsets = { realtime: { secs: 1 } }; spec.linux.namespaces?.push({ type: 'time' }) }],
    ['beyond what the clock can be', /timens_offsets/, spec => { spec.linux.timeOffsets = { boottime: { secs: -(10 ** 12) } }; spec.linux.namespaces?.push({ type: 'time' }) }],
  ] satisfies [string, RegExp, Change][]) {
    test(`linux.timeOffsets is refused ${why}`, async runtime => {
      await using bundle = new Bundle(runtime, ['true'], change)
      const { status, stderr } = bundle.create()
      expect(status).not.toBe(0)
      expect(stderr).toMatch(says)
      expect(bundle.leftovers()).toEqual([])
    }, later)
  }

  for (const [what, change] of [
    ['process.selinuxLabel', spec => { spec.process.selinuxLabel = 'system_u:system_r:container_t:s0' }],
    ['linux.intelRdt', spec => { spec.linux.intelRdt = { closID: 'x', l3CacheSchema: 'L3:0=f' } }],
  ] satisfies [string, Change][]) {
    test(`${what} is refused where there is no such thing`, async runtime => {
      await using bundle = new Bundle(runtime, ['true'], change)
      expect(bundle.create().status).not.toBe(0)
      expect(bundle.leftovers()).toEqual([])
    }, { except: { crun: 'ignores it, or leaves the cgroups' } })
  }

  test('linux.mountLabel is refused where there is no SELinux', async runtime => {
    await using bundle = new Bundle(runtime, ['true'], spec => { spec.linux.mountLabel = 'system_u:object_r:container_file_t:s0' })
    expect(bundle.create().status).not.toBe(0)
    expect(bundle.leftovers()).toEqual([])
  }, { except: { crun: 'ignores it' } })
})
