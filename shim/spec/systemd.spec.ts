import { describe, expect, it } from 'vitest'
import type { Spec } from '../../protocol/oci/spec.ts'
import { withSystemd } from './systemd.ts'

const cgroup = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'relatime', 'ro'] }
const secret = { destination: '/run/secrets/token', type: 'bind', source: '/host/token', options: ['rbind', 'ro'] }

function spec(args: string[], change: Partial<Spec> = {}, env: string[] = ['PATH=/bin']): Spec {
  return { ociVersion: '1.2.0', process: { args, env, cwd: '/', user: { uid: 0, gid: 0 } }, mounts: [cgroup, secret], ...change }
}

describe('withSystemd', () => {
  it.each(['/sbin/init', '/usr/sbin/init', '/lib/systemd/systemd', '/usr/lib/systemd/systemd'])('gives %s its variable, /run, /run/lock and a writable cgroup', program => {
    const given = withSystemd(spec([program]))
    expect(given.process?.env).toEqual(['PATH=/bin', 'container=kata-ts'])
    expect(given.mounts?.map(mount => mount.destination)).toEqual(['/sys/fs/cgroup', '/run', '/run/lock', '/run/secrets/token'])
    expect(given.mounts?.[0]?.options).toEqual(['nosuid', 'relatime', 'rw'])
    expect(given.mounts?.[3]).toEqual(secret)
  })

  it.each([['sh'], ['/bin/init'], ['/sbin/initialize']])('leaves %s alone', program => {
    const given = spec([program])
    expect(withSystemd(given)).toBe(given)
  })

  it('keeps what the client mounted on /run, and its own value of the variable', () => {
    const run = { destination: '/run', type: 'tmpfs', source: 'tmpfs', options: ['size=1g'] }
    const given = withSystemd(spec(['/sbin/init'], { mounts: [run, cgroup] }, ['container=docker']))
    expect(given.process?.env).toEqual(['container=docker'])
    expect(given.mounts?.map(mount => [mount.destination, mount.options?.includes('size=1g')])).toEqual([['/run', true], ['/sys/fs/cgroup', false], ['/run/lock', false]])
  })

  it('mounts the cgroup where the client did not (ctr)', () => {
    const given = withSystemd(spec(['/sbin/init'], { mounts: [] }))
    expect(given.mounts?.map(mount => mount.destination)).toEqual(['/sys/fs/cgroup', '/run', '/run/lock'])
  })

  it('obeys the annotation where the command does not tell', () => {
    expect(withSystemd(spec(['/entrypoint'], { annotations: { 'io.kata-ts.systemd': 'true' } })).process?.env).toContain('container=kata-ts')
    expect(withSystemd(spec(['/sbin/init'], { annotations: { 'io.kata-ts.systemd': 'false' } })).process?.env).not.toContain('container=kata-ts')
    expect(() => withSystemd(spec(['/sbin/init'], { annotations: { 'io.kata-ts.systemd': 'yes' } }))).toThrow('io.kata-ts.systemd: "yes" is neither')
  })
})
