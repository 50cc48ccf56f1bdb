import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdtempSync, openSync, readdirSync, readlinkSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { Container } from '../container.ts'
import { forEachLane } from '../matrix.ts'
import type { Spec } from '../spec.ts'
import { Stack } from '../stack.ts'

/** A loop device over a file of 8 MiB that begins with `content`; detached and removed when the test ends. */
class LoopDevice {
  readonly path: string
  readonly major = 7
  readonly minor: number

  constructor(content: string) {
    const directory = mkdtempSync(`${tmpdir()}/kata-ts-e2e-`)
    const file = openSync(`${directory}/disk`, 'w')
    ftruncateSync(file, 8 << 20)
    writeSync(file, content)
    closeSync(file)
    this.path = execFileSync('losetup', ['--find', '--show', `${directory}/disk`], { encoding: 'utf8' }).trim()
    this.minor = Number(this.path.slice('/dev/loop'.length))
    onTestFinished(() => {
      execFileSync('losetup', ['--detach', this.path])
      rmSync(directory, { recursive: true, force: true })
    })
  }

  /** What the host reads, past its cache. */
  read(offset: number, length: number): string {
    execFileSync('blockdev', ['--flushbufs', this.path])
    const device = openSync(this.path, 'r')
    const bytes = Buffer.alloc(length)
    readSync(device, bytes, 0, length, offset)
    closeSync(device)
    return bytes.toString()
  }

  /** Processes of the host that have it open. */
  holders(): string[] {
    return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
      // Processes and descriptors come and go meanwhile.
      try { return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === this.path) } catch { return false }
    })
  }

  /** Gives it to a container at `path`, as CRI writes it for a volumeDevice. */
  giveTo(spec: Spec, path: string, access = 'rwm'): void {
    const { major, minor } = this
    spec.linux.devices = [...spec.linux.devices ?? [], { path, type: 'b', major, minor, fileMode: 0o660, uid: 0, gid: 6 }]
    const rules = spec.linux.resources['devices'] as unknown[] // baseSpec makes it a list
    rules.push({ allow: true, type: 'b', major, minor, access })
  }
}

/** The slots of the guest are seen from a container: /sys is the guest's. */
const disks = 'ls /sys/block | grep -c ^vd || true'

forEachLane('block devices', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  it('are read and written under the path, mode and owner that were asked for', async () => {
    const device = new LoopDevice('from the host')
    const container = await Container.create(stack, lane, { spec: (spec) => device.giveTo(spec, '/dev/deep/xvda') })
    await container.start()
    expect(await container.shell('head -c 13 /dev/deep/xvda; stat -c " %F %a %u:%g" /dev/deep/xvda; blockdev --getsize64 /dev/deep/xvda')).toBe(
      `from the host block special file 660 0:6\n${8 << 20}\n`)
    await container.shell('printf "from inside" | dd of=/dev/deep/xvda bs=512 seek=3 conv=notrunc,fsync 2>/dev/null')
    expect(device.read(3 * 512, 11)).toBe('from inside')
  })

  it('are written back when the container ends without a sync', async () => {
    const device = new LoopDevice('')
    const container = await Container.create(stack, lane, {
      args: ['sh', '-c', 'exec printf "last words" >/dev/xvda'], spec: (spec) => device.giveTo(spec, '/dev/xvda'),
    })
    await container.start()
    expect((await container.finish()).status).toBe(0)
    await container.deleteTask()
    expect(device.read(0, 10)).toBe('last words')
  })

  it('refuse writes without the permission', async () => {
    const device = new LoopDevice('precious')
    const container = await Container.create(stack, lane, { spec: (spec) => device.giveTo(spec, '/dev/xvda', 'rm') })
    await container.start()
    expect(await container.shell('head -c 8 /dev/xvda')).toBe('precious')
    expect((await container.exec(['sh', '-c', 'echo x >/dev/xvda'])).status).not.toBe(0)
    expect(device.read(0, 8)).toBe('precious')
  })

  it('are only the container\'s own', async () => {
    const device = new LoopDevice('')
    const container = await Container.create(stack, lane, { spec: (spec) => device.giveTo(spec, '/dev/xvda') })
    await container.start()
    const other = await Container.create(stack, lane, {
      spec: (spec) => { spec.annotations = { 'io.kubernetes.cri.sandbox-id': container.containerId, 'io.kubernetes.cri.container-type': 'container' } },
    })
    await other.start()
    const numbers = (await container.shell('stat -c "0x%t 0x%T" /dev/xvda')).trim()
    expect((await other.exec(['sh', '-c', `mknod /run/disk b $((${numbers.split(' ')[0] ?? ''})) $((${numbers.split(' ')[1] ?? ''})) && head -c 1 /run/disk`])).stderr).toMatch(/not permitted/i)
  })
})

forEachLane('block devices of a pod', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  it('come and go with their containers, and are one disk for all of them', async () => {
    const device = new LoopDevice('')
    const pod = await Container.create(stack, lane)
    await pod.start()
    expect(await pod.shell(disks)).toBe('0\n')
    const member = (): Promise<Container> => Container.create(stack, lane, {
      spec: (spec) => {
        device.giveTo(spec, '/dev/xvda')
        spec.annotations = { 'io.kubernetes.cri.sandbox-id': pod.containerId, 'io.kubernetes.cri.container-type': 'container' }
      },
    })
    const [first, second] = [await member(), await member()]
    await Promise.all([first.start(), second.start()])
    await first.shell('printf shared >/dev/xvda')
    expect(await second.shell('head -c 6 /dev/xvda')).toBe('shared')
    expect(await pod.shell(disks)).toBe('1\n')
    await first.remove()
    expect(await pod.shell(disks)).toBe('1\n')
    await second.remove()
    expect(await pod.shell(disks)).toBe('0\n')
    // Nobody holds it: the host could take the volume away.
    expect(device.holders()).toEqual([])
    expect(device.read(0, 6)).toBe('shared')
    const third = await member()
    await third.start()
    expect(await third.shell('head -c 6 /dev/xvda')).toBe('shared')
  })
}, { runtime: 'kata-ts', reason: 'the disks of a host do not come and go with its containers' })
