import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { Container, type ContainerOptions } from '../container.ts'
import { temporaryDirectory } from '../directory.ts'
import { forEachLane } from '../matrix.ts'
import type { Lane } from '../matrix.ts'
import { buildProgram } from '../program.ts'
import type { SpecMount } from '../spec.ts'
import { Stack } from '../stack.ts'

const bind = (source: string, destination: string, ...options: string[]): SpecMount => ({ destination, type: 'bind', source, options: ['rbind', ...options] })

/** Directories of a pod as kubelet makes them, below a root of the test's; removed when it ends. */
class PodDirectories {
  readonly path = temporaryDirectory(0o755)

  constructor(private readonly stack: Stack) {}

  volume(plugin: string, name: string): string {
    const path = `${this.path}/volumes/kubernetes.io~${plugin}/${name}`
    mkdirSync(path, { recursive: true })
    return path
  }

  /** A file system of the host, where the stack's containerd sees it; unmounted when the test ends. */
  mount(path: string, ...options: string[]): void {
    mkdirSync(path, { recursive: true })
    this.inStack('mount', '-t', 'tmpfs', '-o', ['rw', ...options].join(','), 'e2e', path)
    onTestFinished(() => this.inStack('umount', '-l', path))
  }

  inStack(...command: string[]): void {
    execFileSync('nsenter', [`--mount=/proc/${this.stack.holderPid}/ns/mnt`, ...command])
  }
}

/** A volume that kubelet keeps up to date (pkg/volume/util/atomic_writer.go). */
class KubeletVolume {
  #version = 0
  constructor(readonly path: string) {}

  publish(files: Record<string, string>): void {
    const before = `..2026_11_28_${this.#version}`
    const version = `..2026_11_28_${++this.#version}`
    mkdirSync(`${this.path}/${version}`)
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(`${this.path}/${version}/${name}`, content)
      chmodSync(`${this.path}/${version}/${name}`, 0o440)
      chownSync(`${this.path}/${version}/${name}`, 0, 2000)
    }
    symlinkSync(version, `${this.path}/..data_tmp`)
    renameSync(`${this.path}/..data_tmp`, `${this.path}/..data`)
    if (this.#version === 1) for (const name of Object.keys(files)) symlinkSync(`..data/${name}`, `${this.path}/${name}`)
    rmSync(`${this.path}/${before}`, { recursive: true, force: true })
  }
}

/** A container that shares its sandbox with `pod`. */
function member(stack: Stack, lane: Lane, pod: Container, mounts: SpecMount[], options: ContainerOptions = {}): Promise<Container> {
  return Container.create(stack, lane, {
    ...options,
    spec: (spec) => {
      spec.annotations = { 'io.kubernetes.cri.sandbox-id': pod.containerId, 'io.kubernetes.cri.container-type': 'container' }
      spec.mounts.push(...mounts)
    },
  })
}

forEachLane('volumes', (lane) => {
  let stack: Stack
  let program: string
  beforeAll(() => {
    stack = Stack.open(lane.containerd)
    program = buildProgram('watch')
  })
  afterAll(() => stack.client.close())

  const withMounts = (...mounts: SpecMount[]): ContainerOptions => ({ spec: (spec) => { spec.mounts.push(...mounts) } })
  const running = async (options: ContainerOptions): Promise<Container> => {
    const container = await Container.create(stack, lane, options)
    await container.start()
    return container
  }

  it.each(['configmap', 'secret', 'projected', 'downward-api'])('of kind %s change as one, and tell who watches them', async (plugin) => {
    const volume = new KubeletVolume(new PodDirectories(stack).volume(plugin, 'config'))
    volume.publish({ a: 'first a', b: 'first b' })
    const container = await running({ ...withMounts(bind(volume.path, '/config', 'ro'), bind(program, '/watch', 'ro')), args: ['/watch', 'watch', '/config'] })
    await container.output.until(/watching\n/)
    expect(await container.shell('cat /config/a /config/b; stat -L -c " %a %u:%g" /config/a')).toBe('first afirst b 440 0:2000\n')
    volume.publish({ a: 'second a', b: 'second b' })
    await container.output.until(/moved \.\.data\n/)
    expect(await container.shell('cat /config/a /config/b; readlink /config/..data')).toBe('second asecond b..2026_11_28_2\n')
    volume.publish({ a: 'third a', b: 'third b' })
    await container.output.until(/moved \.\.data\n(.*\n)*moved \.\.data\n(.*\n)*deleted \.\.2026_11_28_2\n/)
    expect(await container.shell('cat /config/a')).toBe('third a')
    // The same events as on the host, in the same order.
    expect(container.output.text.split('\n').filter((line) => line !== '' && line !== 'watching')).toEqual([2, 3].flatMap((version) => [
      `created ..2026_11_28_${version}`, 'created ..data_tmp', 'moved ..data', `deleted ..2026_11_28_${version - 1}`,
    ]))
    expect((await container.exec(['touch', '/config/x'])).status).not.toBe(0)
  })

  it('have parts (subPath) that stay as they were', async () => {
    const directories = new PodDirectories(stack)
    const volume = new KubeletVolume(directories.volume('configmap', 'config'))
    volume.publish({ a: 'first' })
    const container = await running(withMounts(bind(`${volume.path}/..2026_11_28_1/a`, '/etc/app/a', 'ro'), bind(volume.path, '/config', 'ro')))
    volume.publish({ a: 'second' })
    await container.shell('until grep -q second /config/a; do sleep 0.1; done')
    expect(await container.shell('cat /etc/app/a')).toBe('first')
  })

  it.each([['on disk', false], ['in memory', true]])('of kind emptyDir %s are one for all containers of a pod', async (_what, memory) => {
    const directories = new PodDirectories(stack)
    const path = directories.volume('empty-dir', 'scratch')
    if (memory) directories.mount(path, 'size=1m', 'mode=1777')
    const pod = await running({})
    const first = await member(stack, lane, pod, [bind(path, '/scratch'), bind(program, '/watch', 'ro')])
    const second = await member(stack, lane, pod, [bind(path, '/other'), bind(program, '/watch', 'ro')], { args: ['/watch', 'watch', '/other'] })
    await Promise.all([first.start(), second.start()])
    await second.output.until(/watching\n/)
    // Looked for first: what is not there is remembered as well.
    expect((await second.exec(['test', '-e', '/other/file'])).status).toBe(1)
    await first.shell('echo one >/scratch/file')
    await second.output.until(/created file\n/)
    expect(await second.shell('cat /other/file')).toBe('one\n')
    expect(await second.shell('stat -c %d:%i /other/file')).toBe(await first.shell('stat -c %d:%i /scratch/file'))
    await second.shell('echo two >>/other/file')
    expect(await first.shell('cat /scratch/file')).toBe('one\ntwo\n')
    const locker = await first.addExec(['/watch', 'lock', '/scratch/file'])
    await locker.start()
    await locker.output.until(/locked\n/)
    expect((await second.exec(['/watch', 'lock', '/other/file'])).stdout).toBe('busy\n')
    if (!memory) return
    expect(await first.shell('df -k /scratch | tail -1 | tr -s " " | cut -d " " -f 2; stat -c %a /scratch')).toBe('1024\n1777\n')
    // It outlives its containers: an init container fills it for those that come later.
    await Promise.all([first.remove(), second.remove()])
    const third = await member(stack, lane, pod, [bind(path, '/scratch')])
    await third.start()
    expect(await third.shell('cat /scratch/file')).toBe('one\ntwo\n')
  })

  it('share /dev/shm in a pod, with the size that it has on the host', async () => {
    const directories = new PodDirectories(stack)
    directories.mount(`${directories.path}/shm`, 'size=2m', 'mode=1777', 'noexec', 'nosuid', 'nodev')
    const pod = await running({})
    const shm = bind(`${directories.path}/shm`, '/dev/shm')
    const [first, second] = [await member(stack, lane, pod, [shm]), await member(stack, lane, pod, [shm])]
    await Promise.all([first.start(), second.start()])
    await first.shell('echo x >/dev/shm/segment')
    expect(await second.shell('cat /dev/shm/segment; df -k /dev/shm | tail -1 | tr -s " " | cut -d " " -f 2; stat -c %a /dev/shm')).toBe('x\n2048\n1777\n')
    expect(await second.shell('grep " /dev/shm " /proc/mounts | tail -1')).toMatch(/tmpfs rw,nosuid,nodev,noexec/)
  })

  it('follow the host with HostToContainer, and only then', async () => {
    const directories = new PodDirectories(stack)
    const [source, later] = [`${directories.path}/source`, `${directories.path}/source/later`]
    directories.mount(source)
    directories.inStack('mount', '--make-shared', source)
    directories.inStack('mkdir', later)
    const container = await running(withMounts(bind(source, '/follows', 'rslave'), bind(source, '/stays', 'rprivate')))
    directories.mount(later)
    directories.inStack('sh', '-c', `echo late >${later}/file`)
    await container.shell('until test -e /follows/later/file; do sleep 0.1; done')
    expect(await container.shell('cat /follows/later/file; ls /stays/later')).toBe('late\n')
  })

  it('let go of their device with their last container, while the pod lives on', async () => {
    const directories = new PodDirectories(stack)
    const [image, path] = [`${directories.path}/image`, directories.volume('csi', 'pv')]
    execFileSync('truncate', ['-s', '16M', image])
    execFileSync('mkfs.ext4', ['-q', '-F', image])
    directories.inStack('mount', '-o', 'loop', image, path)
    const pod = await running({})
    const containers = [await member(stack, lane, pod, [bind(path, '/data')]), await member(stack, lane, pod, [bind(path, '/data')])]
    for (const container of containers) await container.start()
    await containers[0]?.shell('mkdir /data/deep && echo kept >/data/deep/file')
    expect(await containers[1]?.shell('cat /data/deep/file')).toBe('kept\n')
    for (const container of containers) await container.remove()
    directories.inStack('umount', path)
    // The loop device is gone with the last that holds the file system.
    await expect.poll(() => execFileSync('losetup', ['--associated', image], { encoding: 'utf8' }), { timeout: 20_000, interval: 200 }).toBe('')
    directories.inStack('mount', '-o', 'loop', image, path)
    onTestFinished(() => directories.inStack('umount', '-l', path))
    const later = await member(stack, lane, pod, [bind(path, '/data')])
    await later.start()
    expect(await later.shell('cat /data/deep/file')).toBe('kept\n')
  })

  it('that are single files are written in place', async () => {
    const directories = new PodDirectories(stack)
    for (const name of ['hosts', 'termination-log']) writeFileSync(`${directories.path}/${name}`, '')
    const container = await running(withMounts(bind(`${directories.path}/hosts`, '/etc/hosts'), bind(`${directories.path}/termination-log`, '/dev/termination-log')))
    await container.shell('echo "10.0.0.1 me" >>/etc/hosts; echo done >/dev/termination-log; echo again >/dev/termination-log')
    expect(readFileSync(`${directories.path}/hosts`, 'utf8')).toBe('10.0.0.1 me\n')
    expect(readFileSync(`${directories.path}/termination-log`, 'utf8')).toBe('again\n')
  })

  it('are mounted where a symlink of the image leads to, with the flags of the spec', async () => {
    const directories = new PodDirectories(stack)
    mkdirSync(`${directories.path}/data`)
    const container = await running(withMounts(bind(`${directories.path}/data`, '/usr/sbin/deep', 'nosuid', 'nodev', 'noexec')))
    expect(await container.shell('grep -o "/bin/deep [^ ]* [^ ]*" /proc/mounts')).toMatch(/nosuid,nodev,noexec/)
  })
})

forEachLane('volumes of a microVM', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())
  const refusal = (mount: SpecMount): Promise<string> =>
    Container.create(stack, lane, { spec: (spec) => { spec.mounts.push(mount) } }).then(() => 'was created', (error: unknown) => String(error))

  it('refuse what could not work, with the reason and what to do', async () => {
    const directory = temporaryDirectory()
    const server = createServer().listen(`${directory}/socket`)
    onTestFinished(() => void server.close())
    execFileSync('mknod', [`${directory}/disk`, 'b', '7', '250'])
    expect(await refusal(bind(`${directory}/socket`, '/run/host.sock'))).toMatch(/unix socket .*cannot be reached from another kernel; reach the service over the network/)
    expect(await refusal(bind(`${directory}/disk`, '/dev/xvda'))).toMatch(/block device .*; give it as a device: volumeDevices/)
    expect(await refusal(bind(directory, '/data', 'rshared'))).toMatch(/rshared: mounts made in a microVM cannot reach the host; use mountPropagation None or HostToContainer/)
  })
}, { runtime: 'kata-ts', reason: 'on the host all of these work' })
