import { describe, expect, it } from 'vitest'
import { configFrom } from '../config/config.ts'
import { noLimits } from '../resources/limits.ts'
import { HostCpuset } from '../resources/host-cpuset.ts'
import { PodSize } from '../resources/pod-size.ts'
import type { Fd } from '../../native/ts/fd.ts'
import type { AgentClient } from '../agent-client.ts'
import type { Hypervisor, VmmExit } from '../hypervisor/hypervisor.ts'
import { silentLog } from '../log.ts'
import type { Share } from '../storage/share.ts'
import { Timeline } from '../timeline.ts'
import { anyPod } from './pod-double.ts'
import type { SandboxPorts } from './ports.ts'
import { Sandbox, type SandboxIdentity } from './sandbox.ts'
import { canMove, type SandboxStateName } from './state.ts'

const identity: SandboxIdentity = { id: 's1', namespace: 'default', pod: anyPod, shareTag: 'kata-ts', logLevel: 'info', agentTimeoutMs: 1000 }

type Step = 'launch' | 'acceptAgent' | 'agent' | 'createSandbox'

/** A sandbox whose parts note what is held; `fail` names the step that fails. */
class Host {
  readonly held = new Set<string>()
  readonly order: string[] = []
  vmmDied: (exit: VmmExit) => void = () => {}
  agentEnded: (error: Error | undefined) => void = () => {}
  readonly sandbox: Sandbox

  constructor(private readonly fail?: Step, private readonly hang?: Step) {
    this.held.add('share').add('state')
    this.sandbox = new Sandbox(identity, this.ports())
  }

  async step(name: Step): Promise<void> {
    this.order.push(name)
    if (name === this.fail) throw new Error(`${name} broke`)
    if (name === this.hang) await new Promise((_resolve, reject) => { this.release = () => reject(new Error(`${name} was stopped`)) })
  }

  release: () => void = () => {}

  drop(name: string): void {
    this.order.push(`-${name}`)
    this.held.delete(name)
  }

  ports(): SandboxPorts {
    const exited = new Promise<VmmExit>(resolve => { this.vmmDied = resolve })
    const hypervisor: Hypervisor = {
      ownKernel: true,
      pid: 4711,
      launch: async () => { this.held.add('vmm'); await this.step('launch') },
      acceptAgent: async () => { await this.step('acceptAgent'); return {} as Fd }, // never used: the agent is a double
      connect: async () => ({}) as Fd,
      attach: async () => ({ pciPath: '10.0/00.0', detach: async () => {} }),
      resize: async size => size,
      pause: async () => {},
      resume: async () => {},
      stop: async () => { this.release(); this.drop('vmm') },
      wait: () => exited,
      diagnosis: () => 'qemu: it broke',
    }
    const agent = {
      events: (_receive: unknown, ended: (error: Error | undefined) => void) => { this.agentEnded = ended },
      createSandbox: async () => { await this.step('createSandbox') },
      [Symbol.dispose]: () => this.drop('agent'),
    } as unknown as AgentClient // what Sandbox uses of it
    return {
      hypervisor,
      share: { close: () => this.drop('share') } as unknown as Share, // Sandbox only closes it
      agent: () => {
        this.order.push('agent')
        if (this.fail === 'agent') throw new Error('agent broke')
        this.held.add('agent')
        return agent
      },
      events: { publish: () => {} },
      size: new PodSize(noLimits, configFrom([]).hypervisor), cpuset: new HostCpuset(() => {}),
      log: silentLog,
      timeline: new Timeline(),
      releaseState: () => this.drop('state'),
    }
  }
}

describe('sandbox states', () => {
  it('only ready serves, and nothing leaves stopped', () => {
    const all: SandboxStateName[] = ['booting', 'ready', 'failed', 'dead', 'stopping', 'stopped']
    expect(all.filter(to => canMove('stopped', to))).toEqual([])
    expect(all.filter(from => canMove(from, 'ready'))).toEqual(['booting'])
    expect(all.filter(from => canMove(from, 'stopped'))).toEqual(['stopping'])
  })
})

describe('Sandbox', () => {
  it('starts up in order and tears down in the opposite one', async () => {
    const host = new Host()
    await host.sandbox.agent()
    expect(host.sandbox.state.is).toBe('ready')
    await host.sandbox.stop()
    expect(host.order).toEqual(['launch', 'acceptAgent', 'agent', 'createSandbox', '-agent', '-vmm', '-share', '-state'])
    expect([...host.held]).toEqual([])
    expect(host.sandbox.state.is).toBe('stopped')
  })

  it.each<Step>(['launch', 'acceptAgent', 'agent', 'createSandbox'])('holds nothing when %s fails, and tells every request why', async step => {
    const host = new Host(step)
    await expect(host.sandbox.agent()).rejects.toThrow('did not start')
    expect(host.sandbox.state.is).toBe('failed')
    await expect(host.sandbox.agent()).rejects.toMatchObject({ kind: 'unavailable', cause: { message: `${step} broke` } })
    expect([...host.held]).toEqual(['state'])
    await host.sandbox.stop()
    expect([...host.held]).toEqual([])
  })

  it.each<Step>(['launch', 'acceptAgent', 'createSandbox'])('stops while %s is pending, and holds nothing then', async step => {
    const host = new Host(undefined, step)
    const agent = host.sandbox.agent().catch((error: unknown) => error)
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
    await host.sandbox.stop()
    expect([...host.held]).toEqual([])
    expect(host.sandbox.state.is).toBe('stopped')
    expect(await agent).toBeInstanceOf(Error)
  })

  it('counts as dead with the VMM, and says how it died', async () => {
    const host = new Host()
    await host.sandbox.agent()
    host.vmmDied({ status: 137, signal: 9, text: 'qemu was killed by SIGKILL' })
    await expect.poll(() => host.sandbox.state.is).toBe('dead')
    await expect(host.sandbox.agent()).rejects.toThrow('the VMM died: qemu: it broke')
    await host.sandbox.stop()
    expect([...host.held]).toEqual([])
  })

  it('gives a pid for as long as anyone may ask', async () => {
    const host = new Host('launch')
    await host.sandbox.agent().catch(() => undefined)
    expect(host.sandbox.pid).toBe(4711)
  })
})
