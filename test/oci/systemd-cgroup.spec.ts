/** `--systemd-cgroup`: a real systemd makes the cgroups. runc is the control; crun asks a bus that is not there. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Bundle, type Change, until } from './bundle.ts'
import { lacking, PrivateSystemd } from './private-systemd.ts'
import { invoke, runtimes, type Runtime } from './runtimes.ts'

for (const layout of ['v1', 'v2'] as const) describe.skipIf(lacking(layout))(`the systemd cgroup driver on cgroup ${layout}${lacking(layout) ? ` (${lacking(layout)})` : ''}`, () => {
  let systemd: PrivateSystemd
  beforeAll(async () => { systemd = await PrivateSystemd.start(layout) })
  afterAll(async () => { await systemd.stop() })

  for (const runtime of runtimes.filter(({ name }) => name !== 'crun')) {
    const there = (options: string[] = ['--systemd-cgroup']): Runtime => ({ ...runtime, command: [...systemd.entry, ...runtime.command, ...options] })
    const bundleOf = (name: string, change: Change = () => undefined) => new Bundle(there(), ['sleep', '100'], spec => {
      spec.linux.cgroupsPath = `machine-test.slice:case:${name}`
      change(spec)
    })
    const limited = (spec: Parameters<Change>[0]) => { if (layout === 'v1') Object.assign(spec.linux.resources ?? {}, { memory: { limit: 64 << 20 }, pids: { limit: 33 }, cpu: { shares: 512, quota: 25_000, period: 100_000 } }) }

    it(`makes a delegated scope in its slice, that every process is in [${runtime.name}]`, async () => {
      const unit = `case-${runtime.name}-place.scope`
      await using bundle = bundleOf(`${runtime.name}-place`, spec => { spec.annotations = { 'org.systemd.property.CollectMode': "'inactive-or-failed'", 'org.systemd.property.TimeoutStopSec': 'uint64 7' } })
      bundle.up()
      expect(systemd.show(unit, 'Slice', 'Delegate', 'ActiveState', 'ControlGroup', 'CollectMode', 'TimeoutStopUSec', 'DevicePolicy')).toEqual({
        Slice: 'machine-test.slice', Delegate: 'yes', ActiveState: 'active', ControlGroup: `/machine.slice/machine-test.slice/${unit}`, CollectMode: 'inactive-or-failed', TimeoutStopUSec: '7s', DevicePolicy: 'strict',
      })
      const processes = systemd.show(unit, 'ControlGroup')['ControlGroup']
      const kept = layout === 'v2' ? /^0:/ : /^\d+:(memory|pids|cpu|freezer|name=systemd|):/
      const places = systemd.run('cat', `/proc/${systemd.run('pgrep', '-fx', 'sleep 100')}/cgroup`).split('\n').filter(line => kept.test(line))
      expect(places.length).toBe(layout === 'v2' ? 1 : 6)
      for (const place of places) expect(place.endsWith(`:${processes}`), place).toBe(true)
      const further = bundle.exec(['cat', '/proc/self/cgroup']).stdout.trim().split('\n').filter(line => kept.test(line))
      expect(further).toEqual(places)
    })

    it(`sets limits that a reload of systemd leaves in force, as it does the device rules [${runtime.name}]`, async () => {
      const unit = `case-${runtime.name}-limits.scope`
      await using bundle = bundleOf(`${runtime.name}-limits`, limited)
      bundle.up()
      const zero = () => bundle.exec(['sh', '-c', 'head -c1 /dev/zero | wc -c; { [ -e /tmp/kmsg ] || mknod /tmp/kmsg c 1 11; } && cat /tmp/kmsg 2>&1 | head -n1']).stdout
      const before = zero()
      expect(before).toMatch(/^1\n.*Operation not permitted/)
      if (layout === 'v1') {
        const directory = (controller: string) => `/sys/fs/cgroup/${controller}/machine.slice/machine-test.slice/${unit}`
        expect(systemd.show(unit, 'MemoryLimit', 'TasksMax', 'CPUShares', 'CPUQuotaPerSecUSec')).toEqual({ MemoryLimit: `${64 << 20}`, TasksMax: '33', CPUShares: '512', CPUQuotaPerSecUSec: '250ms' })
        expect(bundle.invoke(['update', '--memory', `${80 << 20}`, '--pids-limit', '44', bundle.id]).status).toBe(0)
        systemd.run('systemctl', 'daemon-reload')
        expect(systemd.show(unit, 'MemoryLimit', 'TasksMax')).toEqual({ MemoryLimit: `${80 << 20}`, TasksMax: '44' })
        expect([['memory', 'memory.limit_in_bytes'], ['pids', 'pids.max'], ['cpu', 'cpu.shares'], ['cpu', 'cpu.cfs_quota_us']].map(([controller = '', file = '']) => systemd.run('cat', `${directory(controller)}/${file}`))).toEqual([`${80 << 20}`, '44', '512', '25000'])
      } else systemd.run('systemctl', 'daemon-reload')
      expect(zero()).toBe(before)
    })

    it(`pauses, kills and deletes, and leaves neither unit nor cgroup; without the flag, too, once it was made with it [${runtime.name}]`, async () => {
      const unit = `case-${runtime.name}-end.scope`
      await using bundle = bundleOf(`${runtime.name}-end`)
      const later = (...args: string[]) => invoke(there([]), bundle.stateRoot, args).status
      bundle.up()
      expect(later('pause', bundle.id)).toBe(0)
      expect(bundle.status).toBe('paused')
      expect(later('resume', bundle.id)).toBe(0)
      expect(later('kill', bundle.id, 'KILL')).toBe(0)
      await until('stopped', () => bundle.status === 'stopped')
      expect(later('delete', bundle.id)).toBe(0)
      expect(systemd.show(unit, 'ActiveState', 'LoadState')).toEqual({ ActiveState: 'inactive', LoadState: 'not-found' })
      expect(systemd.cgroups(unit)).toEqual([])
      bundle.up()
      expect(later('delete', '--force', bundle.id)).toBe(0)
      expect(systemd.cgroups(unit)).toEqual([])
    })

    it(`leaves nothing of a container that cannot be made [${runtime.name}]`, async () => {
      await using bundle = bundleOf(`${runtime.name}-none`, spec => { spec.mounts.push({ destination: '/x', type: 'no-such-file-system', source: 'x' }) })
      expect(bundle.create().status).not.toBe(0)
      await until('its end', () => systemd.cgroups(`case-${runtime.name}-none`).length === 0)
    })

    it(`takes no path for a scope [${runtime.name}]`, async () => {
      await using bundle = bundleOf('', spec => { spec.linux.cgroupsPath = '/a/path' })
      const { status, stderr } = bundle.create()
      expect(status).not.toBe(0)
      expect(stderr).toMatch(/expected cgroupsPath to be of format \\?"slice:prefix:name\\?" for systemd cgroups, got \\?"\/a\/path\\?" instead/)
    })
  }
})

describe('the systemd cgroup driver without systemd', () => {
  for (const runtime of runtimes.filter(({ name }) => name === 'kata-ts')) it('says so, and what to do', async () => {
    await using bundle = new Bundle({ ...runtime, command: ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs run /run && exec "$@"', 'sh', ...runtime.command, '--systemd-cgroup'] }, ['true'], spec => { spec.linux.cgroupsPath = 'machine.slice:case:x' })
    expect(bundle.create()).toMatchObject({ status: 1, stderr: expect.stringMatching(/--systemd-cgroup: no systemd answers .*; use the cgroupfs driver/) as string })
  })
})
