/** podman on a host with systemd, where it has that make the cgroups unless told otherwise: a systemd of the test's own. */
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacking, PrivateSystemd } from '../oci/private-systemd.ts'
import { podman, runtimes } from './podman.ts'

// The host's own: podman goes by /proc/self/cgroup, which tells of hierarchies that systemd has not mounted.
const layout = lacking('v1') === undefined ? 'v1' : 'v2'

describe.skipIf(lacking(layout))(`podman --cgroup-manager systemd on cgroup ${layout}${lacking(layout) ? ` (${lacking(layout)})` : ''}`, () => {
  const directory = new URL('../../build/podman-systemd', import.meta.url).pathname
  let systemd: PrivateSystemd

  function call(...args: string[]): string {
    const [nsenter = '', ...entry] = systemd.entry.filter(word => word !== '--net')
    const { status, stdout, stderr } = spawnSync(nsenter, [...entry, 'env', `KATA_TS_PODMAN=${directory}`, podman, ...args], { encoding: 'utf8', timeout: 110_000, killSignal: 'SIGKILL' })
    if (status !== 0) throw new Error(`podman ${args.join(' ')}: exit ${status}\n${stdout}${stderr}`)
    return stdout.trim()
  }

  beforeAll(async () => {
    systemd = await PrivateSystemd.start(layout)
    call('version')
  })
  afterAll(async () => {
    call('--down')
    await systemd.stop()
  })

  for (const [name, path] of runtimes) {
    const limits = layout === 'v1' ? ['--memory', '64m', '--pids-limit', '20'] : ['--pids-limit', '0']
    const container = (...args: string[]) => call('--cgroup-manager', 'systemd', '--runtime', path, 'run', ...limits, ...args)

    it(`runs a container in a scope of machine.slice [${name}]`, () => {
      const shown = container('--rm', 'busybox', 'cat', '/proc/self/cgroup')
      expect(shown).toMatch(layout === 'v1' ? /:memory:\/machine.slice\/libpod-[0-9a-f]{64}.scope/ : /^0::\//m)
      // conmon's scopes are podman's to remove, which it does not.
      expect(systemd.cgroups('libpod-').filter(path => !path.includes('/libpod-conmon-'))).toEqual([])
    })

    it(`-d, exec, stop and rm [${name}]`, () => {
      const id = container('-d', 'busybox', 'sleep', '1000')
      try {
        const unit = `libpod-${id}.scope`
        expect(systemd.show(unit, 'ActiveState', 'Slice', 'MemoryLimit')).toEqual({ ActiveState: 'active', Slice: 'machine.slice', MemoryLimit: layout === 'v1' ? `${64 << 20}` : 'infinity' })
        expect(call('exec', id, 'echo', 'inside')).toBe('inside')
        call('stop', '--time', '0', id)
        expect(systemd.show(unit, 'ActiveState')).toEqual({ ActiveState: 'inactive' })
      } finally {
        call('rm', '--force', '--time', '0', id)
      }
      expect(systemd.cgroups(`libpod-${id}`)).toEqual([])
    })
  }
})
