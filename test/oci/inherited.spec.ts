/** What a container has of the runtime's: its mount namespace, the user that may search the bundle, and none of its memory limits. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { expect } from 'vitest'
import { Bundle, type Change } from './bundle.ts'
import { conformance } from './runtimes.ts'

/** A container that shares the runtime's mounts, which its masks would change. */
const sharesMounts: Change = spec => {
  spec.linux.namespaces = spec.linux.namespaces?.filter(({ type }) => type !== 'mount') ?? []
  delete spec.linux.maskedPaths
  delete spec.linux.readonlyPaths
}

conformance('inherited', test => {
  test('without a mount namespace the container is in the runtime\'s, with a root of its own', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'readlink /proc/self/ns/mnt; pwd; ls /bin/busybox'], sharesMounts)
    try {
      const { stdout, stderr } = bundle.run()
      expect(stderr).toBe('')
      expect(stdout).toBe(`${readlinkSync('/proc/self/ns/mnt')}\n/\n/bin/busybox\n`)
      if (runtime.name === 'kata-ts') expect(bundle.leftovers()).toEqual([])
    } finally {
      if (runtime.name !== 'kata-ts') while (spawnSync('umount', ['-lR', bundle.rootfs], { stdio: 'ignore' }).status === 0);
    }
  }, { except: { crun: 'fails to mount' } })

  test('an exec is in the same root', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'], sharesMounts)
    try {
      bundle.up()
      expect(bundle.exec(['sh', '-c', 'ls /bin/busybox; readlink /proc/self/ns/mnt']).stdout).toBe(`/bin/busybox\n${readlinkSync('/proc/self/ns/mnt')}\n`)
    } finally {
      bundle.invoke(['delete', '--force', bundle.id])
      if (runtime.name !== 'kata-ts') while (spawnSync('umount', ['-lR', bundle.rootfs], { stdio: 'ignore' }).status === 0);
    }
  }, { alone: 'runc runs it in the root of the host, crun fails to mount' })

  test('a root of a user namespace gets a bundle and volumes that are closed to it', async runtime => {
    await using bundle = new Bundle(runtime, ['cat', '/volume/file'], spec => {
      spec.linux.namespaces?.push({ type: 'user' })
      spec.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
      spec.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
      spec.mounts.push({ destination: '/volume', type: 'bind', source: 'volume', options: ['rbind', 'ro'] })
    })
    const directory = bundle.directory
    execFileSync('sh', ['-c', 'mkdir "$1/volume"; echo inside >"$1/volume/file"; chown -R 100000:100000 "$1/rootfs" "$1/volume"; chmod 700 "$1"', 'sh', directory])
    expect(bundle.run().stdout).toBe('inside\n')
  }, { alone: 'runc 1.1 and crun 1.8 look the volume up as the mapped user' })

  for (const [what, bytes] of [['a gigabyte', 2 ** 30], ['what the program just needs', 16 * 2 ** 20]] as const) {
    test(`an address space of ${what} is the program's, and enough for the runtime`, async runtime => {
      await using bundle = new Bundle(runtime, ['sh', '-c', 'ulimit -v'], spec => { spec.process.rlimits = [{ type: 'RLIMIT_AS', soft: bytes, hard: bytes }] })
      const { stdout, stderr } = bundle.run()
      expect(stderr).toBe('')
      expect(stdout).toBe(`${bytes / 1024}\n`)
    })
  }
})
