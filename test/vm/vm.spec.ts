import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { build, discard, run, type Trial, type Victim } from './trial.ts'

const guest = `${process.cwd()}/build/guest`
const images = [`${guest}/vmlinux`, `${guest}/initrd.cpio`]
const tcg = 'hypervisor.accelerator=tcg'

let program: string
let scratch: string
let trial: Trial | undefined

beforeAll(() => {
  program = build('launch')
  scratch = mkdtempSync(`${tmpdir()}/kata-ts-vm-`)
})
afterEach(() => {
  if (trial) discard(trial)
  trial = undefined
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const launch = async (args: readonly string[], victim?: Victim): Promise<Trial> => (trial = await run(program, [...args, tcg], victim))
const story = (): string => trial?.lines.find(line => /^(failed|diagnosis):/.test(line)) ?? `no story in:\n${trial?.lines.join('\n') ?? ''}`

describe('a VM', () => {
  it.each(['microvm', 'q35'])('boots on %s, its agent dials in, and stop leaves nothing', async machine => {
    const { lines, left, files } = await launch([...images, `hypervisor.machine=${machine}`])
    expect(lines).toEqual([expect.stringMatching(/^launched \d+$/), 'agent dialled', expect.stringMatching(/^stopped /)])
    expect({ left, files }).toEqual({ left: [], files: [] })
  })

  it('boots with several CPUs', async () => {
    expect((await launch([...images, 'hypervisor.vcpus=2'])).lines).toContain('agent dialled')
  })

  it('boots from files that only root may read', async () => {
    const kernel = `${scratch}/vmlinux`
    copyFileSync(`${guest}/vmlinux`, kernel)
    chmodSync(kernel, 0o600)
    chmodSync(scratch, 0o700)
    expect((await launch([kernel, `${guest}/initrd.cpio`])).lines).toContain('agent dialled')
  })
})

describe('kill -9', () => {
  const victims = ['virtiofsd', 'vhost-device', 'qemu-system', 'self']
  const moments: [string, Pick<Victim, 'after' | 'delayMs'>][] = [
    ['at its start', {}], ['once launched', { after: 'launched' }], ['while the guest boots', { after: 'launched', delayMs: 250 }],
    ['when the agent dialled', { after: 'agent dialled' }], ['while the guest runs', { after: 'shared' }],
  ]
  const blamed: Readonly<Record<string, RegExp>> = {
    'virtiofsd': /virtiofsd was killed by SIGKILL/, 'vhost-device': /vhost-device-vsock was killed by SIGKILL/,
    'qemu-system': /qemu-system-x86_64 was killed by SIGKILL/,
  }

  const cases = victims.flatMap(who => moments.map(([when, moment]) => [who, when, moment] as const))
    // At its start the program itself has done nothing yet.
    .filter(([who, , moment]) => who !== 'self' || moment.after !== undefined)

  it.each(cases)('of %s %s leaves no process and names the victim', async (who, _when, moment) => {
    const { left, files } = await launch([...images, 'hold'], { who, ...moment })
    expect(left).toEqual([])
    if (who === 'self') return // its files are what the journal is for
    expect(story()).toMatch(blamed[who] ?? /never/)
    expect(files).toEqual([])
  })
})

describe('a VM that cannot start says why, and leaves nothing', () => {
  const text = (): string => { writeFileSync(`${scratch}/text`, 'no kernel, no image\n'.repeat(100)); return `${scratch}/text` }
  it.each([
    ['a kernel that is not there', () => ['/nowhere/vmlinux', images[1] ?? ''], /guest kernel \/nowhere\/vmlinux cannot be read; build or install it, or set guest\.kernel/],
    ['a kernel that is none', () => [text(), images[1] ?? ''], /qemu-system-x86_64 exited with status 1 \(while the VMM started\); qemu-system-x86_64 said: /],
    ['an image that is none', () => [images[0] ?? '', text()], /while the guest booted.*guest-reset.*Kernel panic/],
    ['a QEMU that is not there', () => [...images, 'hypervisor.path=/nowhere/qemu'], /\/nowhere\/qemu does not exist.*hypervisor\.path/],
    ['a CPU model that QEMU does not know', () => [...images, 'hypervisor.cpu=abacus'], /unable to find CPU model 'abacus'/],
    ['a virtiofsd that ends at once', () => [...images, 'share.virtiofsd=/bin/false'], /virtiofsd \(\/bin\/false\) exited with status 1 \(while the (daemons of the VM|VMM) started\)/],
    ['a vsock daemon that ends at once', () => [...images, 'vsock.daemon=/bin/true'], /vsock \(\/bin\/true\) exited with status 0 \(while the daemons of the VM started\)/],
    ['more memory than the host has', () => [...images, 'hypervisor.memory_mib=1000000'], /lower hypervisor\.memory_mib/],
    ['too little time', () => [...images, 'agent.timeout_ms=100'], /the boot of the guest took longer than 100 ms.*agent\.timeout_ms/],
  ] as const)('%s', async (_what, args, expected) => {
    const { left, files } = await launch(args())
    expect(story()).toMatch(expected)
    expect({ left, files }).toEqual({ left: [], files: [] })
  })
})

describe('the share', () => {
  it('mounts, protects and removes on the real kernel what it promises', () => {
    const directory = mkdtempSync(`${tmpdir()}/kata-ts-share-`)
    try {
      const output = execFileSync('unshare', ['--mount', '--propagation', 'slave', build('share'), directory], { cwd: '/', encoding: 'utf8' })
      expect(output.split('\n').filter(line => line !== '' && !line.startsWith('ok '))).toEqual([])
      expect(output.split('\n').length).toBeGreaterThan(25)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
})

describe('the root of a confined process', () => {
  it('holds what it was given and nothing of the host', () => {
    const directory = mkdtempSync(`${tmpdir()}/kata-ts-root-`)
    try {
      const output = execFileSync('unshare', ['--mount', '--propagation', 'slave', build('root'), directory], { cwd: '/', encoding: 'utf8' })
      expect(output.split('\n').filter(line => line !== '' && !line.startsWith('ok '))).toEqual([])
      expect(output.split('\n').length).toBeGreaterThan(12)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
})
