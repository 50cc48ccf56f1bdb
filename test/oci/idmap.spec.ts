import { execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Mount } from '../../protocol/oci/spec.ts'
import { Bundle, bundleDirectory, type Change, mountinfo } from './bundle.ts'
import { conformance, type Runtime } from './runtimes.ts'

const shift = (hostID: number) => [{ containerID: 0, hostID, size: 65_536 }]
const by = (hostID: number) => ({ uidMappings: shift(hostID), gidMappings: shift(hostID) })

/** A container with a volume of files that belong to root and to user 1000, mounted as `mount` says. */
function withVolume(runtime: Runtime, script: string, mount: Partial<Mount>, change: Change = () => undefined): Bundle {
  const bundle = new Bundle(runtime, ['sh', '-c', script], spec => {
    spec.mounts.push({ destination: '/data', type: 'bind', source: `${bundleDirectory}/volume`, ...mount })
    change(spec)
  })
  const volume = join(bundle.directory, 'volume')
  mkdirSync(volume)
  for (const [name, id] of [['root', 0], ['user', 1000]] as const) {
    writeFileSync(join(volume, name), '')
    chownSync(join(volume, name), id, id)
  }
  return bundle
}

/** A user namespace for the container, and a root file system that is its root's. */
const inUserNamespace: Change = spec => {
  spec.linux.namespaces?.push({ type: 'user' })
  spec.linux.uidMappings = shift(100_000)
  spec.linux.gidMappings = shift(100_000)
}

function giveRootfs(bundle: Bundle): void {
  execFileSync('chown', ['-R', '100000:100000', bundle.rootfs])
  execFileSync('chmod', ['711', bundle.directory])
}

const owners = 'stat -c "%n %u:%g" /data/root /data/user'
const ignores = { except: { runc: '1.1 ignores the mappings of a mount' } }

conformance('ID-mapped mounts', test => {
  test('shows the ids on disk as the mount maps them', async runtime => {
    await using bundle = withVolume(runtime, owners, { options: ['bind'], ...by(100_000) })
    expect(bundle.run().stdout).toBe('/data/root 100000:100000\n/data/user 101000:101000\n')
  }, ignores)

  test('writes the ids that the mount maps back', async runtime => {
    await using bundle = withVolume(runtime, 'touch /data/made; touch /data/root && echo again', { options: ['bind'], ...by(100_000) }, spec => {
      spec.process.user = { uid: 100_000, gid: 100_000 }
    })
    expect(bundle.run().stdout).toBe('again\n')
    expect(statSync(join(bundle.directory, 'volume/made'))).toMatchObject({ uid: 0, gid: 0 })
  }, ignores)

  test('has no file made by whom the mount does not map', async runtime => {
    await using bundle = withVolume(runtime, 'touch /data/made', { options: ['bind'], ...by(100_000) })
    expect(bundle.run().stderr).toContain('Value too large')
  }, ignores)

  test('keeps the other options of a mount', async runtime => {
    await using bundle = withVolume(runtime, 'cat /proc/self/mountinfo; touch /data/root', { options: ['bind', 'ro', 'noexec'], ...by(100_000) })
    const { stdout, stderr } = bundle.run()
    expect(mountinfo(stdout).find(({ point }) => point === '/data')?.options).toEqual(expect.arrayContaining(['ro', 'noexec']))
    expect(stderr).toContain('Read-only')
  })

  test('takes the mappings of the container’s user namespace with idmap', async runtime => {
    await using bundle = withVolume(runtime, `${owners}; touch /data/made`, { options: ['rbind', 'idmap'] }, inUserNamespace)
    giveRootfs(bundle)
    expect(bundle.run().stdout).toBe('/data/root 0:0\n/data/user 1000:1000\n')
    expect(statSync(join(bundle.directory, 'volume/made'))).toMatchObject({ uid: 0, gid: 0 })
  }, { except: { runc: '1.1 knows no idmap' } })

  test('maps a mount in a user namespace by mappings of its own', async runtime => {
    await using bundle = withVolume(runtime, owners, { options: ['bind'], ...by(100_500) }, inUserNamespace)
    giveRootfs(bundle)
    expect(bundle.run().stdout).toBe('/data/root 500:500\n/data/user 1500:1500\n')
  }, { except: { runc: '1.1 refuses it' } })

  for (const [option, below] of [['idmap', '0:0'], ['ridmap', '100000:100000']] as const) {
    test(`leaves what is mounted below ${option === 'idmap' ? 'as it is' : 'mapped'} with ${option}`, async runtime => {
      await using bundle = withVolume(runtime, `${owners}; stat -c %u:%g /data/root`, { options: ['rbind', option], ...by(100_000) })
      const root = join(bundle.directory, 'volume/root')
      execFileSync('mount', ['--bind', root, root])
      try {
        expect(bundle.run().stdout).toBe(`/data/root ${below}\n/data/user 101000:101000\n${below}\n`)
      } finally {
        execFileSync('umount', [root])
      }
    }, option === 'ridmap' ? ignores : { alone: 'crun 1.8 maps what is below in any case' })
  }

  test('maps a file system of its own', async runtime => {
    await using bundle = withVolume(runtime, 'stat -c "%u:%g" /data', { type: 'tmpfs', source: 'tmpfs', options: ['mode=755'], ...by(100_000) })
    expect(bundle.run().stdout).toBe('100000:100000\n')
  }, { alone: 'crun 1.8 maps binds alone' })

  test('refuses idmap where there is nothing to map by', async runtime => {
    await using bundle = withVolume(runtime, 'true', { options: ['bind', 'idmap'] })
    expect(bundle.create().status).not.toBe(0)
    expect(bundle.leftovers()).toEqual([])
  }, { except: { runc: '1.1 hands idmap to the kernel' } })

  test('refuses a file system that cannot map ids', async runtime => {
    await using bundle = withVolume(runtime, 'true', { source: '/sys/kernel', options: ['bind'], ...by(100_000) })
    const { status, stderr } = bundle.create()
    expect(status).not.toBe(0)
    expect(stderr).toContain('/sys/kernel')
    expect(bundle.leftovers()).toEqual([])
  }, ignores)
})
