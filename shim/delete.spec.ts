import { beforeEach, describe, expect, it } from 'vitest'
import { E } from '../native/ts/errno.ts'
import { fake } from '../native/ts/fake/sys.ts'
import { DeleteResponse } from '../protocol/gen/task.ts'
import { remove } from './delete.ts'
import { parseFlags } from './flags.ts'
import { socketPath } from './paths.ts'

const flags = parseFlags(['-namespace', 'default', '-id', 's1', '-address', '/run/c.sock', '-bundle', '/b', 'delete'])
const socket = socketPath('/run/s', '/run/c.sock', 'default', 's1')
const state = '/run/kata-ts/default/s1'

/** A host with what a killed shim left; gives what is printed. */
function host(annotations: Record<string, string> = {}): () => Uint8Array {
  let out = new Uint8Array(0)
  fake.put('/b/config.json', JSON.stringify({ ociVersion: '1.1.0', annotations, root: { path: 'rootfs' }, process: { args: ['true'], cwd: '/', user: { uid: 0, gid: 0 } } }))
  fake.put(`${state}/journal`, `${JSON.stringify({ kind: 'socket', path: socket })}\n${JSON.stringify({ kind: 'process', pid: 77, startTicks: 5 })}\n`)
  fake.put(socket, '')
  fake.onCall('connectUnix', () => -E.ECONNREFUSED)
  fake.onCall('umount2', () => -E.EINVAL)
  fake.onCall('write', (_fd: number, bytes: Uint8Array) => { out = bytes.slice(); return bytes.length })
  return () => out
}

beforeEach(() => fake.reset())

describe('delete', () => {
  it('removes what the journal names and says that the task was killed', async () => {
    const out = host()
    await remove(flags)
    expect([...fake.nodes.keys()].filter(path => path.startsWith(state) || path === socket)).toEqual([])
    expect(DeleteResponse.decode(out())).toMatchObject({ exitStatus: 137 })
  })

  it('works a second time, and where nothing ever was', async () => {
    const out = host()
    await remove(flags)
    await remove(flags)
    expect(DeleteResponse.decode(out())).toMatchObject({ exitStatus: 137 })
  })

  it('removes nothing of a sandbox for another container of it', async () => {
    host({ 'io.kubernetes.cri.sandbox-id': 's1' })
    await remove({ ...flags, id: 'c2' })
    expect(fake.nodes.has(`${state}/journal`)).toBe(true)
  })

  it('removes nothing of a sandbox of that name that another containerd has', async () => {
    host()
    await remove({ ...flags, address: '/run/other.sock' })
    expect(fake.nodes.has(`${state}/journal`)).toBe(true)
  })

  it('does not need a readable config.json', async () => {
    host()
    fake.put('/b/config.json', '{')
    await remove(flags)
    expect(fake.nodes.has(state)).toBe(false)
  })

  it('takes every mount off the rootfs', async () => {
    host()
    let mounts = 3
    fake.onCall('umount2', () => mounts-- > 0 ? 0 : -E.EINVAL)
    await remove(flags)
    expect(fake.callsOf('umount2').map(([path]) => path)).toEqual(Array(4).fill('/b/rootfs'))
  })

  it('rejects when something stays, so that containerd tells it', async () => {
    host()
    fake.onCall('unlinkat', () => -E.EIO)
    await expect(remove(flags)).rejects.toThrow(/left/)
  })
})
