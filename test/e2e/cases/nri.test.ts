/** A plugin of containerd's Node Resource Interface changes a container: seen inside, and in its limits. */
import { execFileSync, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { CriLane } from '../cri/lane.ts'
import { temporaryDirectory } from '../directory.ts'
import { forEachLane } from '../matrix.ts'
import { checkout, type Stack } from '../stack.ts'

const patience = { timeout: 240_000 }

/** Builds the plugin (kept by its sources), and runs it until the test ends; resolves when containerd has taken it. */
async function runPlugin(stack: Stack): Promise<void> {
  const program = execFileSync(`${checkout}/hack/nri-plugin`, { encoding: 'utf8' }).trim()
  const child = spawn('nsenter', ['--target', String(stack.holderPid), '--mount', '--net', program, `${stack.directory}/nri/nri.sock`], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => { child.kill('SIGKILL') })
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (text: Buffer) => { if (text.toString().includes('registered')) resolve() })
    child.on('exit', (code) => reject(new Error(`the plugin ended with ${code}`)))
  })
}

forEachLane('NRI', (lane) => {
  const pods = new CriLane(lane)
  if (lane.containerd === '1.6') {
    it.skip('containerd has NRI from 1.7 on')
    return
  }

  it('gives a container the environment, mounts, devices and limits of a plugin, and takes its update in place of the one asked for', patience, async () => {
    const directory = temporaryDirectory(0o755)
    writeFileSync(`${directory}/file`, 'of the plugin\n')
    await runPlugin(pods.stack)
    const pod = await pods.run({ handler: lane.runtime, namespaces: { pid: 'CONTAINER' }, annotations: { 'nri.kata-ts/adjust': directory } })
    const container = await pod.start(['sleep', '100000'])
    expect(await pod.shell(container, 'echo $NRI; cat /nri/file; touch /nri/x 2>/dev/null || echo read-only; test -c /dev/fuse && { exec 3<>/dev/fuse; } && echo fuse; ulimit -n')).toBe(
      'adjusted\nof the plugin\nread-only\nfuse\n777\n')
    // The host has cgroup v1 here, the guest v2.
    const limits = 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max'
    expect(await pod.shell(container, limits)).toBe(`${48 << 20}\n77\n`)
    await pods.cri.call('UpdateContainerResources', { container_id: container, linux: { memory_limit_in_bytes: 64 << 20 } })
    expect(await pod.shell(container, limits)).toBe(`${56 << 20}\n77\n`)
    const plain = await pods.run({ handler: lane.runtime, namespaces: { pid: 'CONTAINER' } })
    expect(await plain.shell(await plain.start(['sleep', '100000']), 'echo "<$NRI>"; ls /nri 2>/dev/null; true')).toBe('<>\n')
  })
})
