import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, it, onTestFinished } from 'vitest'
import { forEachLane } from '../matrix.ts'
import { checkout, run } from '../stack.ts'

interface Report { verdict: string; findings: { id: string; verdict: string; evidence: string; fix?: string }[] }

forEachLane('attest', (lane) => {
  if (lane.containerd !== '2.1') {
    it.skip('once is enough: it needs no containerd')
    return
  }

  /** Runs it with a configuration of its own. */
  const attest = async (toml: string, ...flags: string[]) => {
    const directory = mkdtempSync(`${tmpdir()}/kata-ts-attest-`)
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const config = `${directory}/config.toml`
    writeFileSync(config, `[guest]\nkernel = "${checkout}/build/guest/vmlinux"\ninitrd = "${checkout}/build/guest/initrd.cpio"\n${toml}`)
    const result = await run('env', [`KATA_TS_CONFIG=${config}`, `${checkout}/build/bin/kata-ts`, 'attest', ...flags])
    return { ...result, left: readdirSync('/run/kata-ts').filter(name => name.includes('attest')) }
  }
  const verdicts = ({ findings }: Report, verdict: string) => findings.filter(finding => finding.verdict === verdict).map(({ id, evidence }) => `${id}: ${evidence}`)

  it('finds everything in order but an emulated guest, and leaves nothing', async () => {
    const { code, stdout, stderr, left } = await attest('', '--json')
    expect(stderr).toBe('')
    const report = JSON.parse(stdout.toString()) as Report
    expect(report.findings.map(({ id }) => id)).toEqual([
      'configuration', 'files', 'own kernel', 'accelerator', 'VMM confined', 'virtiofsd confined', 'vsock daemon confined', 'agent out of reach',
      'devices', 'masks', 'read-only', 'no debug console', 'clean-up',
    ])
    expect(verdicts(report, 'failed')).toEqual([])
    const emulated = report.findings.some(({ id, verdict }) => id === 'accelerator' && verdict === 'weak')
    expect(verdicts(report, 'weak').filter(line => !line.startsWith('accelerator: '))).toEqual([])
    expect({ code, verdict: report.verdict }).toEqual(emulated ? { code: 1, verdict: 'weak' } : { code: 0, verdict: 'ok' })
    expect(left).toEqual([])
  })

  it('names what is weaker than it should be, with the key to set', async () => {
    const { code, stdout, left } = await attest('[hypervisor]\nconfinement = false\nunprivileged = false\nsandbox = false\nvmm_threads = 0\n[annotations]\nenable = ["hypervisor.vcpus"]\n')
    expect(code).toBe(1)
    const text = stdout.toString()
    for (const key of ['hypervisor.confinement', 'hypervisor.unprivileged', 'hypervisor.sandbox', 'hypervisor.vmm_threads', 'annotations.enable']) expect(text).toMatch(new RegExp(`^weak +configuration +${key}: .*\n +→ ${key}: `, 'm'))
    expect(text).toMatch(/^weak +VMM confined +runs as root; .*shares namespaces mnt pid .* with the host.*may signal \d+ processes/m)
    expect(text).toMatch(/^weak +vsock daemon confined .*shares namespaces/m)
    expect(left).toEqual([])
  })

  it('says why no sandbox can be run, and leaves nothing', async () => {
    const { code, stdout, left } = await attest('[hypervisor]\npath = "/nowhere/qemu"\n')
    expect(code).toBe(1)
    expect(stdout.toString()).toMatch(/^failed +sandbox +no sandbox can be run: .*\/nowhere\/qemu does not exist/m)
    expect(left).toEqual([])
  })
}, { runtime: 'kata-ts', reason: 'a command of its own' })
