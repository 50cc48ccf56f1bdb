import { afterAll, beforeAll, expect, it } from 'vitest'
import { Container } from '../container.ts'
import { forEachLane } from '../matrix.ts'
import { Stack } from '../stack.ts'

forEachLane('security', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  it('sets exactly the capabilities of the spec and no_new_privs', async () => {
    const container = await Container.create(stack, lane, {
      spec: (spec) => {
        const kept = ['CAP_KILL', 'CAP_NET_BIND_SERVICE'] // bits 5 and 10 of include/uapi/linux/capability.h
        spec.process.capabilities = { bounding: kept, effective: kept, permitted: kept, inheritable: [], ambient: [] }
      },
      args: ['sh', '-c', 'grep -E "^(Cap|NoNewPrivs)" /proc/self/status'],
    })
    await container.start()
    const mask = '0000000000000420'
    expect((await container.finish()).stdout.replaceAll('\t', ' ')).toBe(
      `CapInh: 0000000000000000\nCapPrm: ${mask}\nCapEff: ${mask}\nCapBnd: ${mask}\nCapAmb: 0000000000000000\nNoNewPrivs: 1\n`)
  })

  it('takes capabilities away from a user that is not root and keeps ambient ones', async () => {
    const container = await Container.create(stack, lane, {
      spec: (spec) => {
        const kept = ['CAP_NET_BIND_SERVICE']
        spec.process.user = { uid: 1000, gid: 1000 }
        spec.process.capabilities = { bounding: kept, effective: kept, permitted: kept, inheritable: kept, ambient: kept }
      },
      args: ['sh', '-c', 'grep -E "^Cap(Eff|Amb)" /proc/self/status'],
    })
    await container.start()
    expect((await container.finish()).stdout.replaceAll('\t', ' ')).toBe('CapEff: 0000000000000400\nCapAmb: 0000000000000400\n')
  })

  it('applies the seccomp profile to the init and to execs', async () => {
    const container = await Container.create(stack, lane, {
      spec: (spec) => {
        spec.linux.seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64'],
          syscalls: [
            { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }, // ENOSPC, which no mkdir here gives by itself
            { names: ['sethostname'], action: 'SCMP_ACT_ERRNO' },
          ],
        }
      },
    })
    await container.start()
    expect(await container.shell('grep ^Seccomp: /proc/1/status /proc/self/status | tr "\\t" " "')).toBe(
      '/proc/1/status:Seccomp: 2\n/proc/self/status:Seccomp: 2\n')
    expect((await container.exec(['mkdir', '/tmp/x'])).stderr).toMatch(/No space left/)
    expect((await container.exec(['hostname', 'x'])).stderr).toMatch(/not permitted/)
    expect(await container.shell('touch /tmp/y && echo allowed')).toBe('allowed\n')
  })

  it('matches seccomp conditions on arguments', async () => {
    const container = await Container.create(stack, lane, {
      spec: (spec) => {
        spec.linux.seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64'],
          syscalls: [{ names: ['fchmodat', 'chmod'], action: 'SCMP_ACT_ERRNO', errnoRet: 28, args: [{ index: 1, value: 0o777, op: 'SCMP_CMP_EQ' }] }],
        }
      },
    })
    await container.start()
    expect((await container.exec(['sh', '-c', 'umask 0; mknod /tmp/p p; chmod 700 /tmp/p && stat -c %a /tmp/p'])).stdout).toBe('700\n')
    expect((await container.exec(['chmod', '777', '/tmp/p'])).stderr).toMatch(/No space left/)
  })

  it('sets resource limits', async () => {
    const container = await Container.create(stack, lane, {
      spec: (spec) => {
        spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 123, hard: 456 }, { type: 'RLIMIT_CORE', soft: 0, hard: 0 }]
      },
      args: ['sh', '-c', 'ulimit -Sn; ulimit -Hn; ulimit -c'],
    })
    await container.start()
    expect((await container.finish()).stdout).toBe('123\n456\n0\n')
  })

  it('isolates: own pids, own network, own host name, no view of the host\'s processes', async () => {
    const container = await Container.create(stack, lane, { spec: (spec) => { spec.hostname = 'alone' } })
    await container.start()
    expect(await container.shell('ls -d /proc/[0-9]* | wc -l')).toMatch(/^[234]\n$/)
    expect(await container.shell('ls /sys/class/net')).toBe('lo\n')
    expect(await container.shell('hostname')).toBe('alone\n')
  })
})
