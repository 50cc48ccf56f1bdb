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

// runc asks the session bus who its user is, and there is no broker here.
describe.skipIf(lacking('v2'))(`the systemd cgroup driver with the systemd of a user${lacking('v2') ? ` (${lacking('v2')})` : ''}`, () => {
  let systemd: PrivateSystemd
  const uid = '1'
  const home = `/run/user/${uid}`
  const asUser = (script: string) => systemd.run('setpriv', '--reuid', uid, '--regid', uid, '--clear-groups', 'env', `XDG_RUNTIME_DIR=${home}`, 'sh', '-c', script)

  beforeAll(async () => {
    systemd = await PrivateSystemd.start('v2')
    systemd.run('sh', '-ec', `
      mkdir -p ${home}/bundle/rootfs/bin ${home}/units
      printf '[Unit]\\nDefaultDependencies=no\\n' >${home}/units/nothing.target
      cp ${runtimes.find(({ name }) => name === 'kata-ts')?.command[0] ?? '/bin/false'} ${home}/program
      cp /bin/busybox ${home}/bundle/rootfs/bin/; ln -s busybox ${home}/bundle/rootfs/bin/sleep; ln -s busybox ${home}/bundle/rootfs/bin/cat
      mkdir ${home}/bundle/rootfs/proc ${home}/bundle/rootfs/dev ${home}/bundle/rootfs/sys
      chown -R ${uid}:${uid} ${home}; chmod 700 ${home}
      systemd-run --unit=user-systemd --property=DefaultDependencies=no --property=Delegate=yes --uid=${uid} --gid=${uid} --setenv=XDG_RUNTIME_DIR=${home} \
        --setenv=SYSTEMD_UNIT_PATH=${home}/systemd/user.control:${home}/systemd/transient:${home}/units /lib/systemd/systemd --user --unit=nothing.target`)
    await until('the user\'s systemd', () => asUser('systemctl --user is-active nothing.target') === 'active', 20_000)
  })
  afterAll(async () => { await systemd.stop() })

  it('makes a scope of the user\'s below that systemd', async () => {
    // As a service of it: only who is among its processes may put one into another of its cgroups.
    const started = asUser(`cd ${home}/bundle && ../program spec --rootless && sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"sleep", "100"/; s/"linux": {/"linux": { "cgroupsPath": "user.slice:case:own",/' config.json
      systemd-run --user --property=DefaultDependencies=no --property=StandardOutput=file:${home}/said --property=StandardError=inherit --setenv=XDG_RUNTIME_DIR=${home} --working-directory=${home}/bundle sh -c '
        ../program --systemd-cgroup run --detach own </dev/null
        systemctl --user show case-own.scope --property=ActiveState,ControlGroup
        ../program exec --detach own sleep 50 </dev/null
        ../program ps --format json own | sed "s/[0-9][0-9]*/pid/g"
        ../program pause own && ../program state own | grep status && ../program resume own
        ../program delete --force own
        systemctl --user show case-own.scope --property=ActiveState
        touch ${home}/done
      ' 2>&1`)
    await until(`the service's end: ${started}`, () => systemd.run('ls', home).includes('done'), 15_000)
    expect(systemd.run('cat', `${home}/said`).split('\n').map(line => line.trim())).toEqual([
      'ControlGroup=/system.slice/user-systemd.service/user.slice/case-own.scope', 'ActiveState=active', '[pid,pid]', '"status": "paused",', 'ActiveState=inactive',
    ])
    expect(systemd.cgroups('case-own')).toEqual([])
  })
})

describe('the systemd cgroup driver without systemd', () => {
  for (const runtime of runtimes.filter(({ name }) => name === 'kata-ts')) it('says so, and what to do', async () => {
    await using bundle = new Bundle({ ...runtime, command: ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs run /run && exec "$@"', 'sh', ...runtime.command, '--systemd-cgroup'] }, ['true'], spec => { spec.linux.cgroupsPath = 'machine.slice:case:x' })
    expect(bundle.create()).toMatchObject({ status: 1, stderr: expect.stringMatching(/--systemd-cgroup: no systemd answers .*; use the cgroupfs driver/) as string })
  })
})
