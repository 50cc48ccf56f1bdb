import { beforeEach, describe, expect, it, vi } from 'vitest'
import { E } from '../../native/ts/errno.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import type { SetVolumeRequest } from '../../protocol/gen/agent.ts'
import { silentLog } from '../log.ts'
import { GuestVolumes } from './guest-volumes.ts'

const pod = '/var/lib/kubelet/pods/u1'
const source = `${pod}/volumes/kubernetes.io~configmap/cfg`
const link = (path: string, target: string): void => void fake.nodes.set(path, { kind: 'link', target })

/** Makes version `version` of the ConfigMap the one that counts, in kubelet's way. */
function publish(version: string, files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    fake.put(`${source}/${version}/${name}`, content, 0o640)
    link(`${source}/${name}`, `..data/${name}`)
  }
  link(`${source}/..data`, version)
}

/** An event of inotify for the one watch there is. */
function inotifyEvent(): void {
  fake.onCall('read', (fd: number, buffer: Uint8Array, offset: number, length: number) => {
    if (fake.fds.get(fd)?.what !== 'inotify') return fake.readFd(fd, buffer, offset, length)
    new DataView(buffer.buffer).setInt32(0, 1, true)
    return 16
  })
  for (const { callback } of fake.watches.values()) callback(1)
}

class Agent {
  readonly told: string[] = []
  readonly requests: SetVolumeRequest[] = []
  answer: () => Promise<void> = async () => {}
  async setVolume(request: SetVolumeRequest): Promise<void> {
    this.requests.push(request)
    await this.answer()
    this.told.push(`set ${request.name} ${request.payload?.version ?? 'memory'}`)
  }
  async removeVolume(name: string): Promise<void> { this.told.push(`remove ${name}`) }
}

describe('GuestVolumes', () => {
  let agent: Agent
  let warnings: string[]
  let volumes: GuestVolumes

  beforeEach(() => {
    fake.reset()
    publish('..v1', { a: 'one' })
    agent = new Agent()
    warnings = []
    volumes = new GuestVolumes(() => agent, { ...silentLog, warn: (text: string) => void warnings.push(text) })
  })

  it('copies a ConfigMap with its modes, links and version, once for all containers', async () => {
    expect(volumes.take('c1', source, '/cfg')).toBe('/run/kata-ts/volumes/0')
    expect(volumes.take('c2', source, '/elsewhere')).toBe('/run/kata-ts/volumes/0')
    await Promise.all([volumes.bring('c1', agent), volumes.bring('c2', agent)])
    expect(agent.requests).toHaveLength(1)
    expect(agent.requests[0]?.payload).toMatchObject({
      version: '..v1', links: { a: '..data/a' }, entries: [{ path: 'a', isDirectory: false, mode: 0o640, data: new TextEncoder().encode('one') }],
    })
  })

  it('sends what kubelet replaces, in order, and what came while one was on its way', async () => {
    volumes.take('c1', source, '/cfg')
    await volumes.bring('c1', agent)
    let arrive = (): void => {}
    agent.answer = () => new Promise(resolve => { arrive = resolve })
    publish('..v2', { a: 'two' })
    inotifyEvent()
    publish('..v3', { a: 'three', b: 'new' })
    inotifyEvent()
    agent.answer = async () => {}
    arrive()
    await vi.waitFor(() => expect(agent.told).toEqual(['set 0 ..v1', 'set 0 ..v2', 'set 0 ..v3']))
    expect(agent.requests.at(-1)?.payload?.links).toEqual({ a: '..data/a', b: '..data/b' })
  })

  it('sends nothing for an event that changed nothing', async () => {
    volumes.take('c1', source, '/cfg')
    await volumes.bring('c1', agent)
    inotifyEvent()
    await vi.waitFor(() => expect(fake.callsOf('readlinkat').length).toBeGreaterThan(4))
    expect(agent.told).toEqual(['set 0 ..v1'])
  })

  it('removes a copy with the last container that has it, and watches no more', async () => {
    volumes.take('c1', source, '/cfg')
    volumes.take('c2', source, '/cfg')
    await volumes.bring('c1', agent)
    await volumes.release('c1')
    expect(agent.told).toEqual(['set 0 ..v1'])
    await volumes.release('c2')
    expect(agent.told).toEqual(['set 0 ..v1', 'remove 0'])
    volumes.close()
    expect(fake.held()).toMatchObject({ fds: [], watches: [] })
  })

  it.each([
    ['a directory that is not kept as kubelet does it', () => fake.nodes.delete(`${source}/..data`), 'has no link ..data'],
    ['a version elsewhere', () => link(`${source}/..data`, '../../secret'), 'which is no version beside it'],
    ['a file that is a symlink', () => link(`${source}/..v1/b`, '/etc/shadow'), 'is a symlink'],
    ['more than a message carries', () => fake.put(`${source}/..v1/big`, new Uint8Array(3 * 1024 * 1024 + 1)), 'holds more than'],
  ])('leaves %s on the share, and says so', (_what, change, reason) => {
    change()
    expect(volumes.take('c1', source, '/cfg')).toBeUndefined()
    expect(warnings[0]).toMatch(new RegExp(`stays on the share, without inotify in the guest: .*${reason}`))
  })

  it('looks once a second where the kernel gives no inotify instance', async () => {
    vi.useFakeTimers()
    try {
      fake.fail('inotifyInit', E.EMFILE)
      volumes.take('c1', source, '/cfg')
      await volumes.bring('c1', agent)
      publish('..v2', { a: 'two' })
      await vi.advanceTimersByTimeAsync(1_100)
      expect(agent.told).toEqual(['set 0 ..v1', 'set 0 ..v2'])
      expect(warnings[0]).toContain('max_user_instances')
      volumes.close()
    } finally {
      vi.useRealTimers()
    }
  })

  it('makes memory volumes of the host\'s size, which stay when their container goes', async () => {
    const memory = `${pod}/volumes/kubernetes.io~empty-dir/mem`
    fake.makeParents(`${memory}/x`)
    fake.onCall('statx', (_dirfd: number, path: string) => ({ mode: 0o042777, uid: 0, gid: 7, mountId: path === memory ? 9 : 1 }))
    fake.onCall('statfs', () => ({ type: 0x01021994, blockSize: 4096, blocks: 256, flags: 0x1006 }))
    expect(volumes.take('c1', memory, '/mem')).toBe('/run/kata-ts/volumes/0')
    await volumes.bring('c1', agent)
    expect(agent.requests[0]).toMatchObject({ sizeBytes: 1048576n, mountFlags: 6, top: { mode: 0o2777, gid: 7 }, payload: undefined })
    await volumes.release('c1')
    expect(agent.told).toEqual(['set 0 memory'])
    expect(volumes.take('c2', memory, '/mem')).toBe('/run/kata-ts/volumes/0')
  })

  it('finds the part of a memory volume that a subPath is', async () => {
    const part = `${pod}/volume-subpaths/mem/c/0`
    fake.makeParents(`${part}/x`)
    fake.makeParents(`${pod}/volumes/kubernetes.io~empty-dir/mem/x`)
    fake.put('/proc/self/mountinfo', [
      `50 1 0:77 / ${pod}/volumes/kubernetes.io~empty-dir/mem rw - tmpfs tmpfs rw`, `51 1 0:77 /deep/er ${part} rw - tmpfs tmpfs rw`,
    ].join('\n'))
    expect(volumes.take('c1', part, '/part')).toBe('/run/kata-ts/volumes/0/deep/er')
    await volumes.bring('c1', agent)
    expect(agent.requests[0]).toMatchObject({ directories: ['deep/er'] })
  })

  it('leaves everything else to the share, refusing the host\'s huge pages', () => {
    fake.makeParents(`${pod}/volumes/kubernetes.io~empty-dir/disk/x`)
    expect(volumes.take('c1', '/srv/data', '/data')).toBeUndefined()
    expect(volumes.take('c1', `${pod}/volumes/kubernetes.io~empty-dir/disk`, '/disk')).toBeUndefined()
    fake.onCall('statfs', () => ({ type: 0x958458f6 | 0 }))
    expect(() => volumes.take('c1', `${pod}/volumes/kubernetes.io~empty-dir/huge`, '/huge')).toThrow('huge pages')
  })
})
