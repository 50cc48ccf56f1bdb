import { beforeEach, describe, expect, it } from 'vitest'
import { E } from '../../native/ts/errno.ts'
import { fake } from '../../native/ts/fake/sys.ts'
import { silentLog } from '../log.ts'
import { chooseAccelerator, hostFactsPath } from './accelerator.ts'

const trial = (usable: boolean, reason: string) => fake.onCall('kvmTrial', () => ({ usable, reason, elapsedMs: 1 }))

describe('chooseAccelerator', () => {
  const warnings: string[] = []
  const log = { ...silentLog, warn: (msg: string) => void warnings.push(msg) }
  beforeEach(() => {
    fake.reset()
    warnings.length = 0
    fake.put('/proc/sys/kernel/random/boot_id', 'boot-1\n')
  })

  it('takes KVM where a trial guest ran', () => {
    trial(true, 'ran')
    expect(chooseAccelerator('auto', log)).toEqual({ kind: 'kvm' })
    expect(warnings).toEqual([])
  })

  it('takes TCG where it did not, and says why', () => {
    trial(false, 'trial guest did not answer')
    expect(chooseAccelerator('auto', log)).toEqual({ kind: 'tcg', tscKhz: 2_000_000 })
    expect(warnings).toEqual([expect.stringContaining('KVM is not usable (trial guest did not answer)')])
  })

  it('refuses to go on without KVM where it is demanded', () => {
    trial(false, 'no /dev/kvm')
    expect(() => chooseAccelerator('kvm', log)).toThrow('KVM is not usable: no /dev/kvm; set hypervisor.accelerator = "auto"')
  })

  it('asks once a boot', () => {
    trial(false, 'no')
    for (let turn = 0; turn < 3; turn++) chooseAccelerator('auto', log)
    expect([fake.callsOf('kvmTrial').length, fake.callsOf('tscKhz').length]).toEqual([1, 1])
    fake.put('/proc/sys/kernel/random/boot_id', 'boot-2\n')
    trial(true, 'ran')
    expect(chooseAccelerator('auto', log)).toEqual({ kind: 'kvm' })
    expect(fake.callsOf('kvmTrial')).toHaveLength(2)
  })

  it('does not try KVM for TCG, and still tries it for the next who asks', () => {
    trial(true, 'ran')
    expect(chooseAccelerator('tcg', log)).toEqual({ kind: 'tcg', tscKhz: 2_000_000 })
    expect(fake.callsOf('kvmTrial')).toEqual([])
    expect(chooseAccelerator('auto', log)).toEqual({ kind: 'kvm' })
  })

  it.each(['', '{', '[]', '{"bootId":"boot-1"}', '{"bootId":"boot-1","tscKhz":"fast","kvm":{"usable":true,"reason":"x"}}', '{"bootId":"boot-1","tscKhz":1}'])(
    'finds out again when %j is what an earlier start left', text => {
      fake.put(hostFactsPath, text)
      trial(false, 'no')
      expect(chooseAccelerator('auto', log)).toEqual({ kind: 'tcg', tscKhz: 2_000_000 })
    })

  it('works where its finding cannot be kept', () => {
    trial(true, 'ran')
    fake.onCall('writeFile', () => -E.EROFS)
    expect(chooseAccelerator('auto', log)).toEqual({ kind: 'kvm' })
  })
})
