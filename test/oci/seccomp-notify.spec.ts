import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import type { LinuxSeccomp } from '../../protocol/oci/seccomp.ts'
import { Bundle, bundleDirectory, until } from './bundle.ts'
import { conformance, type Runtime } from './runtimes.ts'

const top = new URL('../..', import.meta.url).pathname
const agentProgram = join(tmpdir(), `kata-ts-oci-agent-${process.pid}`)

const mkdir = ['mkdir', 'mkdirat']
const asked: LinuxSeccomp = {
  defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64'], listenerPath: `${bundleDirectory}/agent.sock`,
  syscalls: [{ names: mkdir, action: 'SCMP_ACT_NOTIFY' }],
}

function filtered(runtime: Runtime, script: string, filter: LinuxSeccomp, noNewPrivileges = true): Bundle {
  return new Bundle(runtime, ['sh', '-c', script], spec => {
    spec.process.noNewPrivileges = noNewPrivileges
    spec.linux.seccomp = filter
    spec.annotations = { 'org.example': 'yes' }
  })
}

interface Told { ociVersion: string; fds: string[]; pid: number; metadata?: string; state: { id: string; bundle: string; pid: number; annotations: Record<string, string> } }

/** Starts the agent of a bundle; gives what it was told so far. */
async function agentOf(bundle: Bundle): Promise<() => Told[]> {
  const agent = bundle.spawn(agentProgram, [join(bundle.directory, 'agent.sock')])
  let text = ''
  agent.stdout?.on('data', (chunk: Buffer) => { text += chunk.toString() })
  await until('agent listens', () => existsSync(join(bundle.directory, 'agent.sock')))
  return () => text.split('\0').filter(Boolean).map(line => JSON.parse(line) as Told)
}

conformance('seccomp notify', test => {
  beforeAll(() => {
    execFileSync(join(top, 'hack/build-bin'), ['--bundle', join(top, 'test/oci/answer-filter.ts'), '-o', agentProgram], { stdio: 'ignore' })
  })

  afterAll(() => {
    for (const path of [agentProgram, `${agentProgram}.maps`, `${agentProgram}.map`]) rmSync(path, { recursive: true, force: true })
  })

  for (const noNewPrivileges of [true, false]) {
    test(`lets an agent answer, no_new_privs ${noNewPrivileges}`, async runtime => {
      await using bundle = filtered(runtime, 'mkdir /tmp/made && echo answered; test -d /tmp/made || echo none; sleep 100', { ...asked, listenerMetadata: 'for the agent' }, noNewPrivileges)
      const told = await agentOf(bundle)
      bundle.up()
      await until('output', () => bundle.output.includes('none'))
      expect(bundle.output).toBe('answered\nnone\n')
      await until('state', () => told().length === 1)
      expect(told()[0]).toMatchObject({
        fds: ['seccompFd'], pid: bundle.pid, metadata: 'for the agent',
        state: { id: bundle.id, bundle: bundle.directory, pid: bundle.pid, annotations: { 'org.example': 'yes' } },
      })
    })
  }

  test('asks for an exec, too', async runtime => {
    await using bundle = filtered(runtime, 'sleep 100', asked)
    const told = await agentOf(bundle)
    bundle.up()
    const file = join(bundle.directory, 'exec.pid')
    expect(bundle.exec(['sh', '-c', 'mkdir /tmp/made && echo answered'], ['--pid-file', file]).stdout).toBe('answered\n')
    await until('both states', () => told().length === 2)
    const exec = told()[1]
    expect(exec?.state.pid).toBe(bundle.pid)
    expect(exec?.pid).not.toBe(bundle.pid)
  }, { except: { crun: '1.8 says pid 0 in the state' } })

  test('asks for execve itself', async runtime => {
    await using bundle = filtered(runtime, 'echo never', { ...asked, syscalls: [{ names: ['execve', 'execveat'], action: 'SCMP_ACT_NOTIFY' }] })
    const told = await agentOf(bundle)
    bundle.create()
    bundle.start()
    // The agent says that execve went well, and it did not happen: there is no program, but the agent was asked.
    await until('state', () => told().length === 1)
    expect(bundle.output).not.toContain('never')
  }, { alone: 'what a runtime does after an execve that only seems to have happened is its own affair' })

  for (const [what, filter] of [
    ['nobody listens', asked],
    ['it is the default action', { ...asked, defaultAction: 'SCMP_ACT_NOTIFY' }],
    ['it is for write', { ...asked, syscalls: [{ names: ['write'], action: 'SCMP_ACT_NOTIFY' }] }],
  ] satisfies [string, LinuxSeccomp][]) {
    test(`refuses it where ${what}`, async runtime => {
      await using bundle = filtered(runtime, 'true', filter)
      expect(bundle.create().status).not.toBe(0)
      expect(bundle.leftovers()).toEqual([])
    })
  }

  test('refuses it where there is no listenerPath', async runtime => {
    const { listenerPath: _without, ...filter } = asked
    await using bundle = filtered(runtime, 'true', filter)
    expect(bundle.create().status).not.toBe(0)
    expect(bundle.leftovers()).toEqual([])
  }, { except: { crun: 'leaves it to the program to find out' } })

  test('leaves a listenerPath alone where no rule asks', async runtime => {
    await using bundle = filtered(runtime, 'echo runs', { ...asked, syscalls: [] })
    expect(bundle.run().stdout).toBe('runs\n')
  }, { except: { crun: 'goes there all the same' } })

  for (const flags of [['SECCOMP_FILTER_FLAG_LOG'], ['SECCOMP_FILTER_FLAG_SPEC_ALLOW'], ['SECCOMP_FILTER_FLAG_TSYNC'], ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW']]) {
    test(`loads a filter with ${flags.join(' and ')}`, async runtime => {
      await using bundle = filtered(runtime, 'grep Seccomp: /proc/self/status; mkdir /tmp/x || echo refused', { defaultAction: 'SCMP_ACT_ALLOW', flags, syscalls: [{ names: mkdir, action: 'SCMP_ACT_ERRNO' }] })
      expect(bundle.run().stdout).toMatch(/^Seccomp:\s2\nrefused\n$/)
    }, { except: { runc: '1.1 takes no flags' } })
  }
})
