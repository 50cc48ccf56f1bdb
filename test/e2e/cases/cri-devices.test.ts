import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { CrictlPod } from '../cri/crictl.ts'
import { CriLane } from '../cri/lane.ts'
import { temporaryDirectory } from '../directory.ts'
import { forEachLane } from '../matrix.ts'

const vendor = 'kata-ts.example/gadget'
const cdi = (name: string): object => ({ CDI_devices: [{ name: `${vendor}=${name}` }] })

/** An emulated guest on a loaded machine. */
const patience = { timeout: 240_000 }

forEachLane('devices and attach over CRI', (lane) => {
  const pods = new CriLane(lane)

  it('gives a privileged container every device, /sys and all capabilities, and keeps them over an update', patience, async () => {
    const pod = await CrictlPod.run(pods.stack, lane.runtime, { security_context: { privileged: true } })
    const container = await pod.start({ command: ['sleep', '100000'], linux: { security_context: { privileged: true } } })
    const given = /CapBnd:\s*(\w+)/.exec(readFileSync(`/proc/${pods.stack.containerdPid}/status`, 'utf8'))?.[1]
    expect(await pod.shell(container, 'sed -n "s/CapEff:.//p" /proc/self/status')).toBe(`${given}\n`)
    expect(await pod.shell(container, 'grep -c " /sys rw" /proc/self/mountinfo; mkdir /sys/fs/cgroup/pids/below 2>/dev/null || mkdir /sys/fs/cgroup/below && echo made')).toBe('1\nmade\n')
    const opened = 'for f in /dev/kmsg /dev/loop-control /dev/fuse /dev/net/tun; do test -c $f && { exec 3<>$f; } && echo $f; done; test -b /dev/loop0 && echo loop0'
    const all = '/dev/kmsg\n/dev/loop-control\n/dev/fuse\n/dev/net/tun\nloop0\n'
    expect(await pod.shell(container, opened)).toBe(all)
    expect((await pod.crictl(['update', '--memory', String(64 << 20), container])).code).toBe(0)
    expect(await pod.shell(container, opened)).toBe(all)
    const plain = await pod.start({ command: ['sleep', '100000'] })
    expect(await pod.shell(plain, 'ls /dev/kmsg /dev/fuse 2>/dev/null; mount | grep " /sys " | grep -c "(ro"')).toBe('1\n')
  })

  // containerd knows CDI from 1.7 on.
  it.skipIf(lane.containerd === '1.6')('honours what a CDI device brings: environment, mounts, device nodes', patience, async () => {
    const directory = temporaryDirectory()
    writeFileSync(`${directory}/file`, 'of the gadget\n')
    writeFileSync(`${pods.stack.directory}/cdi/gadget.json`, JSON.stringify({
      cdiVersion: '0.5.0', kind: vendor, containerEdits: { env: ['ALL_GADGETS=yes'] },
      devices: [
        { name: 'one', containerEdits: { env: ['GADGET=one'], mounts: [{ hostPath: directory, containerPath: '/gadget', options: ['ro', 'bind'] }], deviceNodes: [{ path: '/dev/fuse', permissions: 'rw' }] } },
        { name: 'foreign', containerEdits: { deviceNodes: [{ path: '/dev/hwrng' }] } },
        { name: 'hooked', containerEdits: { hooks: [{ hookName: 'createContainer', path: '/usr/bin/true' }] } },
      ],
    }))
    onTestFinished(() => rmSync(`${pods.stack.directory}/cdi/gadget.json`))
    const pod = await CrictlPod.run(pods.stack, lane.runtime)
    const container = await pod.start({ command: ['sleep', '100000'], ...cdi('one') })
    expect(await pod.shell(container, 'echo $GADGET $ALL_GADGETS; cat /gadget/file; touch /gadget/x 2>/dev/null || echo read-only; test -c /dev/fuse && { exec 3<>/dev/fuse; } && echo fuse')).toBe(
      'one yes\nof the gadget\nread-only\nfuse\n')
    if (lane.runtime === 'runc') return
    await expect(pod.start({ command: ['true'], ...cdi('foreign') })).rejects.toThrow(/device \/dev\/hwrng of the host cannot be given to a container in a microVM/)
    await expect(pod.start({ command: ['true'], ...cdi('hooked') })).rejects.toThrow(/createContainer hook \/usr\/bin\/true is a host program/)
  })

  it('attaches to an input that is given once: its end ends the shell, both outputs are logged', patience, async () => {
    const pod = await CrictlPod.run(pods.stack, lane.runtime)
    const container = await pod.start({ command: ['sh'], stdin: true, stdin_once: true })
    const attached = await pod.crictl(['attach', '-i', container], { stdin: Buffer.from('echo one; echo two >&2\n(exit 5)\n') })
    expect([attached.text, attached.stderr]).toEqual(['one\n', 'two\n'])
    await expect.poll(async () => (await pod.crictl(['inspect', '-o', 'go-template', '--template', '{{.status.state}} {{.status.exitCode}}', container])).text.trim(), { timeout: 20_000 })
      .toBe('CONTAINER_EXITED 5')
    expect(pod.log.sort()).toEqual(['', 'one', 'two'])
  })

  it('lets one client after the other attach to an input that stays', patience, async () => {
    const pod = await CrictlPod.run(pods.stack, lane.runtime)
    const container = await pod.start({ command: ['sh', '-c', 'while read line; do echo "got $line"; done'], stdin: true })
    for (const line of ['first', 'second']) {
      // A client that is gone before its line is answered takes nothing with it: the log has all.
      await pod.crictl(['attach', '-i', container], { stdin: Buffer.from(`${line}\n`), timeoutMs: 4_000 })
      await expect.poll(() => pod.log, { timeout: 20_000 }).toContain(`got ${line}`)
    }
  })
})
