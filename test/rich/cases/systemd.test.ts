import { afterAll, beforeAll, expect, it } from 'vitest'
import { forEachLane } from '../../e2e/matrix.ts'
import { Stack } from '../../e2e/stack.ts'
import { System } from '../system.ts'

/** What systemd takes for "power off" (systemd(1), SIGNALS): the stop signal of its images. */
const SIGRTMIN_3 = 37

forEachLane('systemd as PID 1', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  const booted = async (...flags: string[]): Promise<System> => {
    const system = await System.start(stack, lane, { image: 'systemd', flags })
    // Until systemd listens, systemctl has nobody to ask.
    await expect.poll(async () => (await system.try('systemctl is-system-running --wait')).text, { timeout: 300_000 }).toMatch(/^(running|degraded)\n$/)
    return system
  }

  it('boots its units in cgroups of their own, logs, and powers off', async () => {
    const system = await booted()
    expect(await system.shell('systemctl --failed --no-legend --plain; systemctl is-system-running; tr "\\0" "\\n" </proc/1/environ | grep ^container=')).toBe('running\ncontainer=kata-ts\n')
    expect(await system.shell('systemctl is-active hello.service stay.service; test -e /run/hello && echo ran')).toBe('active\nactive\nran\n')
    expect(await system.shell('journalctl --no-pager -o cat -u hello.service')).toContain('hello from a unit\n')
    expect(await system.shell('cat /proc/$(systemctl show -P MainPID stay.service)/cgroup; cat /sys/fs/cgroup/system.slice/stay.service/memory.max')).toBe(
      `0::/system.slice/stay.service\n${64 << 20}\n`)
    expect(await system.shell('systemctl stop stay.service; systemctl is-active stay.service || true; systemctl start stay.service; systemctl is-active stay.service')).toBe('inactive\nactive\n')
    // What limits the container is out of its reach: the kernel lets the delegate write below its root only.
    expect((await system.try('echo 5 >/sys/fs/cgroup/pids.max')).code).not.toBe(0)
    const exited = system.wait()
    await system.try('systemctl poweroff')
    expect(await exited).toBe(0)
  })

  it('ends in order on its stop signal', async () => {
    const system = await booted()
    const exited = system.wait()
    await system.kill(SIGRTMIN_3)
    expect(await exited).toBe(0)
  })

  it('ends by SIGHUP on reboot where it has the right to reboot: no guest but its own PID namespace is meant', async () => {
    const system = await booted('--cap-add', 'CAP_SYS_BOOT')
    const exited = system.wait()
    await system.try('systemctl reboot')
    expect(await exited).toBe(129) // reboot(2): init of the PID namespace is killed by SIGHUP
  })
}, { runtime: 'kata-ts', reason: 'systemd wants a cgroup v2 of its own, which a guest has and a host with v1 has not' })
