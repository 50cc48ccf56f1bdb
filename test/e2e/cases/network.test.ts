import { rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { Container } from '../container.ts'
import { processesNamed } from '../leaks.ts'
import { forEachLane } from '../matrix.ts'
import { inStack, Pod, PodNetwork, startInStack } from '../pod-network.ts'
import { Stack } from '../stack.ts'

/** Eight megabytes whose loss, change or order a chemd5sum shows: more than any queue on the way holds. An emulated guest needs minutes to make as much by a program. */
const data = 'cat /bin/busybox /bin/busybox /bin/busybox /bin/busybox'

forEachLane('pod network', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  const start = async (pod: Pod, args?: readonly string[]): Promise<Container> => {
    const container = await Container.create(stack, lane, { spec: pod.join, ...(args && { args }) })
    await container.start()
    return container
  }

  it('has the interfaces of the namespace with names, addresses, routes, neighbours, MTU and MAC', async () => {
    const network = new PodNetwork(stack)
    const other = new PodNetwork(stack)
    const pod = network.addPod(2, { mtu: 1420, mac: '02:99:00:00:00:02' })
    pod.addInterface(other, { name: 'net1', addresses: [`${other.address(7)}/24`] })
    pod.ip('neigh', 'add', network.address(99), 'lladdr', '02:99:00:00:00:99', 'dev', 'eth0', 'nud', 'permanent')
    pod.ip('route', 'add', '192.0.2.0/24', 'via', other.gateway, 'metric', '77')
    const container = await start(pod)
    const seen = await container.shell('for i in eth0 net1; do cat /sys/class/net/$i/address /sys/class/net/$i/mtu; done; ip route | sort; ip -6 route | grep default; ip neigh | grep PERM')
    const [mac, mtu, , mtu1, ...lines] = seen.trim().split('\n').map((line) => line.trim())
    expect([mac, mtu, mtu1]).toEqual(['02:99:00:00:00:02', '1420', '1500'])
    expect(lines.slice(0, 4)).toEqual([
      `${network.address(0)}/24 dev eth0 scope link  src ${network.address(2)}`,
      `${other.address(0)}/24 dev net1 scope link  src ${other.address(7)}`,
      `192.0.2.0/24 via ${other.gateway} dev net1  metric 77`,
      `default via ${network.gateway} dev eth0`,
    ])
    expect(lines[4]).toContain(`default via ${network.gateway6} dev eth0`)
    expect(lines[5]).toContain(`${network.address(99)} dev eth0 lladdr 02:99:00:00:00:99`)
    const addresses = await container.shell('ip -o addr show scope global | awk \'{ print $2, $4 }\' | sort')
    expect(addresses.trim().split('\n')).toEqual([
      `eth0 ${network.address(2)}/24`, `eth0 ${network.address6(2)}/64`, `net1 ${other.address(7)}/24`,
    ])
  })

  it('reaches host and pods over IPv4 and IPv6, at once', async () => {
    const network = new PodNetwork(stack)
    const [first, second] = await Promise.all([start(network.addPod(2)), start(network.addPod(3))])
    const ping = (address: string): string => `ping -c 1 -W 5 ${address} >/dev/null`
    await first.shell([network.gateway, network.gateway6, network.address(3), network.address6(3)].map(ping).join(' && '))
    await second.shell(ping(network.address(2)))
    inStack(stack, ['busybox', 'ping', '-c', '1', '-W', '5', network.address(2)])
  })

  it.each([1500, 9000])('carries big TCP streams both ways, pod to pod and pod to host, unchanged, with an MTU of %i', async (mtu) => {
    const network = new PodNetwork(stack, mtu)
    const [first, second] = await Promise.all([start(network.addPod(2, { mtu })), start(network.addPod(3, { mtu }))])
    const sum = await first.shell(`${data} | md5sum`)

    const received = second.shell(sumOfPort('nc', 7000))
    await second.shell(untilListening(7000))
    await first.shell(`${data} | nc ${network.address(3)} 7000`)
    expect(await received).toBe(sum)

    const sink = startInStack(stack, ['sh', '-c', sumOfPort('busybox nc', 7001)])
    const answer = new Promise<string>((resolve) => { sink.stdout?.on('data', (chunk: Buffer) => resolve(chunk.toString())) })
    inStack(stack, ['sh', '-c', untilListening(7001)])
    await first.shell(`${data} | nc ${network.gateway} 7001`)
    expect(await answer).toBe(sum)

    const taken = second.shell(sumOfPort('nc', 7002))
    await second.shell(untilListening(7002))
    inStack(stack, ['sh', '-c', `${data} | busybox nc ${network.address(3)} 7002`])
    expect(await taken).toBe(sum)
  })

  it('answers UDP: names are resolved by a server outside', async () => {
    const network = new PodNetwork(stack)
    const container = await start(network.addPod(2))
    const resolver = startInStack(stack, [process.execPath, '-e', nameServer])
    await new Promise((resolve) => resolver.stdout?.once('data', resolve))
    expect(await container.shell(`nslookup answer.test ${network.gateway}`)).toContain('192.0.2.1')
    expect(await container.shell(`nslookup answer.test ${network.gateway6}`)).toContain('192.0.2.1')
  })

  it('follows the namespace: interfaces come, change and go while the container runs', async () => {
    const [network, other] = [new PodNetwork(stack), new PodNetwork(stack)]
    const pod = network.addPod(2)
    const container = await start(pod)
    pod.addInterface(other, { name: 'late0', addresses: [`${other.address(9)}/24`] })
    // By that interface: the host answers for its other networks on eth0, too.
    await container.shell(`until ping -c 1 -W 2 -I late0 ${other.gateway} >/dev/null 2>&1; do sleep 0.1; done`)
    expect(await container.shell("ip -o -4 addr show late0 | awk '{ print $4 }'")).toBe(`${other.address(9)}/24\n`)
    pod.ip('addr', 'add', `${network.address(77)}/24`, 'dev', 'eth0')
    await container.shell(`until ip addr show eth0 | grep -q ${network.address(77)}/; do sleep 0.1; done`)
    pod.ip('link', 'delete', 'late0')
    await container.shell('while ip link show late0 >/dev/null 2>&1; do sleep 0.1; done')
    await container.shell(`ping -c 1 -W 5 ${network.gateway} >/dev/null`)
  })

  it('comes from whoever adds it to the namespace of the container\'s process, before its start and later', async () => {
    const [network, other] = [new PodNetwork(stack), new PodNetwork(stack)]
    const container = await Container.prepare(stack, lane, {})
    const pid = await container.createTask()
    const pod = Pod.ofProcess(stack, pid)
    pod.addInterface(network, { name: 'eth0', addresses: [`${network.address(2)}/24`] })
    await container.start()
    expect(await container.shell(`ip -o -4 addr show eth0 | awk '{ print $4 }'; ping -c 1 -W 5 ${network.gateway} >/dev/null && echo reached`))
      .toBe(`${network.address(2)}/24\nreached\n`)
    pod.addInterface(other, { name: 'eth1', addresses: [`${other.address(3)}/24`] })
    await container.shell(`until ping -c 1 -W 2 -I eth1 ${other.gateway} >/dev/null 2>&1; do sleep 0.1; done`)
  })

  it.each([['is killed', true], ['ends', false]])('leaves the namespace as it was when the shim %s', async (_what, isKilled) => {
    const pod = new PodNetwork(stack).addPod(2)
    const container = await start(pod)
    if (isKilled) {
      for (const pid of processesNamed(stack, new RegExp(`containerd-shim-${lane.runtime}-v2.*${container.containerId}`))) process.kill(pid, 'SIGKILL')
      // containerd notices, and calls `delete`.
      await expect.poll(() => stack.client.call('tasks.Delete', { container_id: container.containerId }, 20_000).then(() => 'deleted', (error: Error) => error.message), { timeout: 30_000, interval: 100 }).toMatch(/deleted|not found/)
      container.forgetTask()
    }
    await container.remove()
    const left = (): string => pod.tc('qdisc', 'show', 'dev', 'eth0') + pod.ip('-o', 'link')
    await expect.poll(left, { timeout: 10_000, interval: 50 }).not.toMatch(/ingress|kata/)
  })

  it('may go before the container does', async () => {
    const pod = new PodNetwork(stack).addPod(2)
    const container = await start(pod)
    inStack(stack, ['ip', 'netns', 'delete', pod.netns])
    await container.shell('true')
    await container.remove()
  })

  if (lane.runtime === 'kata-ts') {
    it('works by macvtap as well', async () => {
      const layer = `${stack.directory}/kata-ts/config.d/50-network.toml`
      writeFileSync(layer, '[network]\nmodel = "macvtap"\n')
      onTestFinished(() => { rmSync(layer) })
      const network = new PodNetwork(stack)
      const pod = network.addPod(2)
      const container = await start(pod)
      await container.shell([network.gateway, network.gateway6].map((address) => `ping -c 1 -W 5 ${address} >/dev/null`).join(' && '))
      expect(pod.ip('-d', '-o', 'link')).toContain('macvtap mode passthru')
      await container.remove()
      expect(pod.ip('-d', '-o', 'link')).not.toContain('macvtap')
    })
  }

  it('is loopback only, and up, in a namespace without interfaces', async () => {
    const container = await start(new Pod(stack, 'e2e-empty'))
    const links = await container.shell('ip -o link | wc -l; ping -c 1 127.0.0.1 >/dev/null && ping -c 1 ::1 >/dev/null && echo up')
    expect(links).toBe('1\nup\n')
  })
})

forEachLane('ports of a pod', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  const server = async (script: string, port: number): Promise<{ pod: Pod; container: Container }> => {
    const pod = new PodNetwork(stack).addPod(2)
    const container = await Container.create(stack, lane, { spec: pod.join, args: ['sh', '-c', script] })
    await container.start()
    await container.shell(untilListening(port))
    return { pod, container }
  }
  /** As containerd does for `kubectl port-forward`: from within the pod's namespace on the host. */
  const fromHost = (pod: Pod, script: string): string => inStack(stack, ['busybox', 'sh', '-c', script], pod.netns)

  it('are reached through the loopback of its namespace on the host, many at once, unchanged', async () => {
    const { pod, container } = await server('httpd -f -p 127.0.0.1:8080 -h /bin', 8080)
    const sum = (await container.shell('md5sum /bin/busybox')).slice(0, 32)
    const one = 'wget -q -O - http://127.0.0.1:8080/busybox | md5sum'
    const sums = fromHost(pod, `for i in 1 2 3 4 5 6 7 8 9 10 11 12; do ${one} & done; wait`)
    expect(sums.trim().split('\n').map((line) => line.slice(0, 32))).toEqual(Array(12).fill(sum))
  })

  it('see the end of what a client sends, and can still answer', async () => {
    const { pod, container } = await server('httpd -f -p 127.0.0.1:8081 -h /bin', 8081)
    const sum = (await container.shell('md5sum /bin/busybox')).slice(0, 32)
    const size = (await container.shell('wc -c </bin/busybox')).trim()
    // nc ends its side as soon as the question is out.
    const answer = fromHost(pod, `printf 'GET /busybox HTTP/1.0\\r\\n\\r\\n' | nc 127.0.0.1 8081 | tail -c ${size} | md5sum`)
    expect(answer.slice(0, 32)).toBe(sum)
  })

  it('are reached where they listen on ::1 alone', async () => {
    const { pod } = await server('echo six >/tmp/six; httpd -f -p [::1]:8082 -h /tmp', 8082)
    expect(fromHost(pod, 'wget -q -O - http://[::1]:8082/six')).toBe('six\n')
  })

  it('where nobody listens end the connection at once, and are no way for other pods', async () => {
    const { pod, container } = await server('httpd -f -p 127.0.0.1:8083 -h /bin', 8083)
    expect(fromHost(pod, 'wget -q -T 10 -O - http://127.0.0.1:9 2>/dev/null || echo failed')).toBe('failed\n')
    expect(inStack(stack, ['busybox', 'sh', '-c', 'wget -q -T 3 -O - http://127.0.0.1:8083/busybox 2>/dev/null || echo failed'])).toBe('failed\n')
    const address = (await container.shell("ip -o -4 addr show eth0 | awk '{ print $4 }'")).trim().replace(/\/.*/, '')
    expect(inStack(stack, ['busybox', 'sh', '-c', `wget -q -T 3 -O - http://${address}:8083/busybox 2>/dev/null || echo failed`])).toBe('failed\n')
  })
})

/** Answers every question for an address with 192.0.2.1 (RFC 1035, 4.1). */
const nameServer = `
  const socket = require('node:dgram').createSocket('udp6')
  socket.on('message', (question, from) => {
    const end = question.indexOf(0, 12) + 5
    const isAddress = question.readUInt16BE(end - 4) === 1
    const answer = isAddress ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]) : Buffer.alloc(0)
    const header = Buffer.from([question[0], question[1], 0x81, 0x80, 0, 1, 0, isAddress ? 1 : 0, 0, 0, 0, 0])
    socket.send(Buffer.concat([header, question.subarray(12, end), answer]), from.port, from.address)
  })
  socket.bind(53, () => console.log('ready'))
`

/** Its input never ends: nc would end the connection's other direction with it, and its peer give up then. */
function sumOfPort(nc: string, port: number): string {
  return `f=$(mktemp -u); mkfifo $f; ${nc} -l -p ${port} <>$f | md5sum; rm $f`
}

/** Waits for a server on this side of the network. */
function untilListening(port: number): string {
  const line = `:${port.toString(16).toUpperCase().padStart(4, '0')} 0.*:0000 0A`
  return `until cat /proc/net/tcp /proc/net/tcp6 | grep -q '${line}'; do usleep 20000 2>/dev/null || sleep 0.02; done`
}
