import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../../native/ts/fake/sys.ts'
import { configFrom } from '../../config/config.ts'
import { judgeConfig, judgeSandbox } from './judge.ts'
import { reportJson, reportText } from './report.ts'
import type { Attested } from './sandbox.ts'

const good: Attested = {
  probe: {
    bootId: 'guest', kernel: '6.12', devices: ['null', 'pts', 'zero'], blockDevices: [], unmasked: [], writable: [],
    vsock: [{ to: 'cid 2 port 1024', answer: 'ETIMEDOUT' }], console: 'open EPERM', commandLine: 'console=ttyS0 quiet',
  },
  processes: [], commandLine: 'qemu -accel kvm -smp 1', planted: { readonly: false, writable: true },
}
const verdictOf = (id: string, attested: Attested, left: string[] = []) => judgeSandbox(attested, left).find(finding => finding.id === id)?.verdict
const probed = (change: Partial<Attested['probe']>): Attested => ({ ...good, probe: { ...good.probe, ...change } })

describe('judgeSandbox', () => {
  beforeEach(() => {
    fake.reset()
    fake.put('/proc/sys/kernel/random/boot_id', 'host\n')
    fake.put('/proc/sys/kernel/osrelease', '6.1\n')
  })

  it.each([
    ['own kernel', probed({ bootId: 'host' })], ['agent out of reach', probed({ vsock: [{ to: 'cid 3 port 1025', answer: 'CONNECTED' }] })],
    ['devices', probed({ devices: ['null', 'kvm'] })], ['devices', probed({ blockDevices: ['vda'] })], ['masks', probed({ unmasked: ['/proc/kcore'] })],
    ['read-only', probed({ writable: ['/proc/sys'] })], ['read-only', { ...good, planted: { readonly: true, writable: true } }],
    ['read-only', { ...good, planted: { readonly: false, writable: false } }], ['no debug console', probed({ console: 'OPENED' })],
    ['no debug console', probed({ commandLine: 'console=ttyS0 kgdboc=ttyS0' })], ['VMM confined', good],
  ])('fails: %s', (id, attested) => expect(verdictOf(id, attested)).toBe('failed'))

  it('finds the same in order where it is', () => {
    for (const id of ['own kernel', 'accelerator', 'agent out of reach', 'devices', 'masks', 'read-only', 'no debug console', 'clean-up']) expect(verdictOf(id, good), id).toBe('ok')
    expect(verdictOf('clean-up', good, ['process 1'])).toBe('failed')
  })

  it('takes emulation for weak', () => expect(verdictOf('accelerator', { ...good, commandLine: 'qemu -accel tcg,thread=multi' })).toBe('weak'))
})

describe('judgeConfig', () => {
  it('is content with the defaults', () => expect(judgeConfig(configFrom([])).map(({ verdict }) => verdict)).toEqual(['ok']))

  it.each([
    ['[hypervisor]\ntype = "none"', 'failed', /^hypervisor\.type/], ['[hypervisor]\nunprivileged = false', 'weak', /^hypervisor\.unprivileged/],
    ['[hypervisor]\nsandbox = false', 'weak', /^hypervisor\.sandbox/], ['[hypervisor]\nvmm_memory_mib = 0', 'weak', /^hypervisor\.vmm_memory_mib/],
    ['[share]\nmemory_mib = 0', 'weak', /^share\.memory_mib/],
    ['[annotations]\nenable = ["debug.console"]', 'weak', /^annotations\.enable.*debug\.console/], ['[debug]\nconsole = true', 'weak', /^debug\.console/],
    ['[guest]\nkernel_params = "kgdboc=ttyS0"', 'weak', /^guest\.kernel_params/],
  ])('names a deviation: %s', (text, verdict, evidence) => {
    expect(judgeConfig(configFrom([{ path: 'x', text }]))).toEqual([expect.objectContaining({ verdict, evidence: expect.stringMatching(evidence) })])
  })
})

describe('the report', () => {
  const findings = [{ id: 'a', verdict: 'ok', evidence: 'fine' }, { id: 'longer', verdict: 'weak', evidence: 'so so', fix: 'mend it' }] as const
  it('has a line for each finding and its fix', () => {
    expect(reportText(findings).split('\n')).toEqual(['ok      a       fine', 'weak    longer  so so', '                → mend it', '', '2 findings: 1 ok, 1 weak, 0 failed'])
    expect(JSON.parse(reportJson(findings))).toMatchObject({ verdict: 'weak', findings: [{ id: 'a' }, { fix: 'mend it' }] })
  })
})
