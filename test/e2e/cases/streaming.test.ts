/**
 * stdio over containerd's streaming API (`io_type = "streaming"`): no FIFOs, each stream is a connection to the shim. runc's shim has no
 * such API; it runs the same cases over FIFOs, as the control of what they expect.
 */
import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { CrictlPod } from '../cri/crictl.ts'
import { CriLane } from '../cri/lane.ts'
import { forEachLane } from '../matrix.ts'

const patience = { timeout: 240_000 }
const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex')

forEachLane('streaming stdio', (lane) => {
  if (lane.containerd === '1.6') {
    it.skip('containerd 1.6 has no streaming API')
    return
  }
  const handler = lane.runtime === 'runc' ? 'runc' : 'kata-ts-streaming'
  const pods = new CriLane(lane)
  const status = async (pod: CrictlPod, container: string): Promise<string> =>
    (await pod.crictl(['inspect', '-o', 'go-template', '--template', '{{.status.state}} {{.status.exitCode}}', container])).text.trim()

  it('logs both outputs whole, a large one too, and tells the exit', patience, async () => {
    const pod = await CrictlPod.run(pods.stack, handler)
    const container = await pod.start({ command: ['sh', '-c', 'seq 100000000 100399999; echo err >&2; exit 6'] })
    await expect.poll(() => status(pod, container), { timeout: 120_000, interval: 500 }).toBe('CONTAINER_EXITED 6')
    // containerd ends its log when the streams have ended, a moment after the exit.
    const lines = Array.from({ length: 400_000 }, (_, index) => `${100_000_000 + index}`)
    await expect.poll(() => pod.log.length, { timeout: 60_000, interval: 500 }).toBe(lines.length + 2)
    const log = pod.log.filter((line) => line !== '')
    expect(log.filter((line) => line === 'err')).toEqual(['err'])
    expect(sha256(log.filter((line) => line !== 'err').join('\n'))).toBe(sha256(lines.join('\n')))
  })

  it('takes an input to its end, and gives it back', patience, async () => {
    const pod = await CrictlPod.run(pods.stack, handler)
    const container = await pod.start({ command: ['sleep', '100000'] })
    const input = Buffer.from(Array.from({ length: 200_000 }, (_, index) => `${100_000_000 + index}\n`).join(''))
    const { code, text } = await pod.crictl(['exec', '-i', container, 'sha256sum'], { stdin: input })
    expect([code, text]).toEqual([0, `${sha256(input)}  -\n`])
    const echoed = await pod.crictl(['exec', '-i', container, 'sh', '-c', 'cat; echo end >&2; exit 3'], { stdin: input })
    expect(sha256(echoed.text)).toBe(sha256(input))
    expect(echoed.stderr).toContain('end\n')
    expect(echoed.code).not.toBe(0)
  })

  it('attaches to an input that is given once: its end ends the shell', patience, async () => {
    const pod = await CrictlPod.run(pods.stack, handler)
    const container = await pod.start({ command: ['sh'], stdin: true, stdin_once: true })
    const attached = await pod.crictl(['attach', '-i', container], { stdin: Buffer.from('echo one; echo two >&2\n(exit 5)\n') })
    expect([attached.text, attached.stderr]).toEqual(['one\n', 'two\n'])
    await expect.poll(() => status(pod, container), { timeout: 20_000 }).toBe('CONTAINER_EXITED 5')
  })
})
