/**
 * kubernetes.io/ingress-bandwidth and egress-bandwidth: CNI's bandwidth plugin shapes on the host's side of the pod's interface. containerd
 * gives it the largest burst there is (four minutes of the rate), so it is the shapers' counters that tell whether packets pass them.
 */
import { expect, it } from 'vitest'
import { CriLane } from '../cri/lane.ts'
import { forEachLane } from '../matrix.ts'
import { inStack, startInStack } from '../pod-network.ts'

const patience = { timeout: 240_000 }
const bytes = 1 << 20

interface Qdisc { kind: string; dev: string; bytes: number; options: { rate?: number } }

forEachLane('bandwidth annotations', (lane) => {
  const pods = new CriLane(lane)

  it('shape what the pod receives and what it sends', patience, async () => {
    const shapers = (): Qdisc[] => (JSON.parse(inStack(pods.stack, ['tc', '-s', '-j', 'qdisc', 'show'])) as Qdisc[]).filter(({ kind }) => kind === 'tbf')
    const before = new Set(shapers().map(({ dev }) => dev))
    const pod = await pods.run({ handler: lane.runtime, namespaces: { pid: 'CONTAINER' }, annotations: { 'kubernetes.io/ingress-bandwidth': '80M', 'kubernetes.io/egress-bandwidth': '40M' } })
    const own = (): Qdisc[] => shapers().filter(({ dev }) => !before.has(dev))
    // On the veth what the pod is sent; on an ifb, where it is led, what the pod sends. tc tells bytes a second.
    const passed = (rateBits: number): number => own().find(({ options }) => options.rate === rateBits / 8)?.bytes ?? -1
    expect(own().map(({ options }) => options.rate).sort()).toEqual([40_000_000 / 8, 80_000_000 / 8].sort())
    const container = await pod.start(['sh', '-c', `nc -l -p 5001 -e sh -c 'wc -c' & nc -l -p 5002 -e sh -c 'head -c ${bytes} /dev/zero' & sleep 100000`])
    const address = (await pod.shell(container, "ip -4 -o addr show eth0 | sed 's/.* inet \\([0-9.]*\\).*/\\1/'")).trim()
    await expect.poll(() => pod.shell(container, 'netstat -ltn | grep -c ":500[12] "'), { timeout: 30_000 }).toBe('2\n')
    const [receivedBefore, sentBefore] = [passed(80_000_000), passed(40_000_000)]
    const received = inStack(pods.stack, ['sh', '-c', `busybox nc ${address} 5002 </dev/null | wc -c`])
    expect(Number(received)).toBe(bytes)
    expect(passed(40_000_000) - sentBefore).toBeGreaterThan(bytes)
    const sender = startInStack(pods.stack, ['sh', '-c', `head -c ${bytes} /dev/zero | busybox nc ${address} 5001`])
    await new Promise((resolve) => sender.on('close', resolve))
    expect(passed(80_000_000) - receivedBefore).toBeGreaterThan(bytes)
  })
})
