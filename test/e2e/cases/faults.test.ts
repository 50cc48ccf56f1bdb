import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { writeCpio } from '../../../guest-image/cpio.ts'
import { initrdEntries } from '../../../guest-image/initrd.ts'
import { Container, uniqueId } from '../container.ts'
import { temporaryDirectory } from '../directory.ts'
import { expectNothingLeft, takeInventory } from '../leaks.ts'
import { forEachLane } from '../matrix.ts'
import { busybox, checkout, run, Stack } from '../stack.ts'
import type { CommandResult } from '../stack.ts'

forEachLane('faults', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  /** Runs `true` with one more layer of configuration; the error must be told and nothing may stay. */
  const runWith = async (toml: string): Promise<CommandResult> => {
    const layer = `${stack.directory}/kata-ts/config.d/90-fault.toml`
    writeFileSync(layer, toml)
    onTestFinished(() => rmSync(layer, { force: true }))
    const before = takeInventory(stack)
    const result = await stack.ctr(['run', '--rm', '--runtime', lane.runtimeName, busybox, uniqueId(), 'true'])
    rmSync(layer)
    await expectNothingLeft(stack, before)
    // A client that is shown several lines, or one without end, is shown a log and not an error.
    expect(result.stderr.trim().split('\n').filter((line) => !line.startsWith('time=')).length).toBeLessThanOrEqual(3)
    return result
  }

  it('names a kernel that does not exist and where to set it', async () => {
    const { code, stderr } = await runWith('[guest]\nkernel = "/no/such/vmlinux"\n')
    expect(code).not.toBe(0)
    expect(stderr).toContain('/no/such/vmlinux')
    expect(stderr).toMatch(/ENOENT|no such file|does not exist/i)
  })

  it('names a guest image that does not exist', async () => {
    const { code, stderr } = await runWith('[guest]\ninitrd = "/no/such/initrd.cpio"\n')
    expect(code).not.toBe(0)
    expect(stderr).toContain('/no/such/initrd.cpio')
  })

  it('suggests the nearest name for an unknown key', async () => {
    const { code, stderr } = await runWith('[guest]\nkernal = "/x"\n')
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/90-fault\.toml/)
    expect(stderr).toMatch(/kernal/)
    expect(stderr).toMatch(/guest\.kernel\b/)
  })

  it('refuses too little memory with the range that is allowed', async () => {
    const { code, stderr } = await runWith('[hypervisor]\nmemory_mib = 8\n')
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/memory_mib.*8/)
    expect(stderr).toMatch(/from 64/)
  })

  it('names a full disk, and what could not be written to it', async () => {
    const inStack = (command: string): void => { execFileSync('nsenter', ['-t', String(stack.holderPid), '-m', 'sh', '-ec', command]) }
    const before = takeInventory(stack)
    inStack('mkdir -p /run/kata-ts; mount -t tmpfs -o size=4k full /run/kata-ts; head -c 4096 /dev/zero > /run/kata-ts/filler')
    let unmounted = false
    const unmount = (): void => { if (!unmounted) inStack('umount /run/kata-ts'); unmounted = true }
    onTestFinished(unmount)
    const { code, stderr } = await stack.ctr(['run', '--rm', '--runtime', lane.runtimeName, busybox, uniqueId(), 'true'])
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/ENOSPC \(no space left on device\)/)
    expect(stderr).toContain('/run/kata-ts/')
    // Fails with EBUSY while anything of the sandbox still lives in it.
    unmount()
    await expectNothingLeft(stack, before)
  })

  it('tells what a VMM said that died at boot', async () => {
    const vmm = `${temporaryDirectory(0o755)}/vmm`
    writeFileSync(vmm, '#!/bin/sh\necho "could not allocate the moon" >&2\nexit 1\n')
    chmodSync(vmm, 0o755)
    const { code, stderr } = await runWith(`[hypervisor]\npath = "${vmm}"\n`)
    expect(code).not.toBe(0)
    expect(stderr).toContain('could not allocate the moon')
  })

  it('tells the end of the guest\'s console when the agent dies at boot', async () => {
    const path = `${temporaryDirectory(0o755)}/initrd.cpio`
    // A static program that is no agent: busybox under the name init, which finds no inittab and no shell to run.
    const program = readFileSync(execFileSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim())
    const script = Buffer.from('#!/bin/busybox sh\necho "agent: the moon is missing" >/dev/console\nexit 3\n')
    const entries = initrdEntries(script)
    writeFileSync(path, writeCpio([...entries, { type: 'directory', path: 'bin', mode: 0o755 }, { type: 'file', path: 'bin/busybox', mode: 0o755, content: program }]))
    const { code, stderr } = await runWith(`[guest]\ninitrd = "${path}"\n[agent]\ntimeout_ms = 20000\n`)
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/moon is missing|Attempted to kill init|panic/)
  })

  it('ends by itself when the guest boots but no agent calls', async () => {
    const path = `${temporaryDirectory(0o755)}/initrd.cpio`
    const program = readFileSync(execFileSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim())
    const script = Buffer.from('#!/bin/busybox sh\nwhile :; do busybox sleep 1; done\n')
    writeFileSync(path, writeCpio([...initrdEntries(script), { type: 'directory', path: 'bin', mode: 0o755 }, { type: 'file', path: 'bin/busybox', mode: 0o755, content: program }]))
    const { code, stderr } = await runWith(`[guest]\ninitrd = "${path}"\n[agent]\ntimeout_ms = 3000\n`)
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/agent/)
    expect(stderr).toMatch(/3000|3 s/)
  })

  const shim = `${checkout}/build/bin/containerd-shim-kata-ts-v2`

  /** Calls `start` by hand, as containerd does, in a bundle of our own. */
  const startIn = async (bundle: string): Promise<CommandResult> => {
    const before = takeInventory(stack)
    const id = uniqueId()
    const { holderPid } = stack
    // stderr goes where stdout goes, because that is how containerd reads them.
    const script = 'cd "$1" && KATA_TS_STACK="$6" TTRPC_ADDRESS="$2.ttrpc" KATA_TS_CONFIG="$5" exec "$3" -namespace default -id "$4" -address "$2" start 2>&1'
    const result = await run('nsenter', ['--target', String(holderPid), '--mount', '--net', 'sh', '-c', script, 'sh', bundle,
      `${stack.directory}/containerd.sock`, shim, id, `${stack.directory}/kata-ts/config.toml`, stack.directory], { timeoutMs: 30_000 })
    await expectNothingLeft(stack, before)
    return result
  }

  const malformed: Record<string, { content?: string; says: RegExp }> = {
    'is missing': { says: /config\.json/ },
    'is no JSON': { content: '{"ociVersion": ', says: /config\.json.*(JSON|parse|unexpected|end)/i },
  }
  it('names the field of a spec that has another shape, at create', async () => {
    const before = takeInventory(stack)
    const container = await Container.prepare(stack, lane, { spec: (spec) => { Object.assign(spec.process, { args: 'true' }) } })
    await expect(container.createTask()).rejects.toThrow(/process\.args/)
    await container.remove()
    await expectNothingLeft(stack, before)
  })

  for (const [how, { content, says }] of Object.entries(malformed)) {
    it(`refuses to start where config.json ${how}, in one line that names it`, async () => {
      const bundle = temporaryDirectory(0o755)
      mkdirSync(`${bundle}/rootfs`)
      if (content !== undefined) writeFileSync(`${bundle}/config.json`, content)
      const { code, text } = await startIn(bundle)
      expect(code).not.toBe(0)
      expect(text.trim().split('\n')).toHaveLength(1)
      expect(text).toMatch(says)
    })
  }
}, { runtime: 'kata-ts', reason: 'they are faults of a VMM and of our configuration' })
