import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Bundle, bundleDirectory, mountinfo } from './bundle.ts'
import { type CaseOptions, conformance } from './runtimes.ts'

const crunRefuses: CaseOptions = { except: { crun: '1.8 is refused by the kernel: it sets a part of the field' } }
const crunIgnores: CaseOptions = { except: { crun: '1.8 ignores it' } }
const bothRefused: CaseOptions = { alone: 'runc 1.1 and crun 1.8 clear a part of the field, which the kernel refuses' }

/** Option → what every mount of the tree must have and not have, where the host's have those of `host`. */
const recursive: readonly { option: string; has?: string; hasNot?: string; host?: string; except?: CaseOptions }[] = [
  { option: 'rro', has: 'ro' }, { option: 'rrw', has: 'rw', host: 'ro' },
  { option: 'rnosuid', has: 'nosuid' }, { option: 'rsuid', hasNot: 'nosuid', host: 'nosuid' },
  { option: 'rnodev', has: 'nodev' }, { option: 'rdev', hasNot: 'nodev', host: 'nodev' },
  { option: 'rnoexec', has: 'noexec' }, { option: 'rexec', hasNot: 'noexec', host: 'noexec' },
  { option: 'rnodiratime', has: 'nodiratime', except: crunRefuses }, { option: 'rdiratime', hasNot: 'nodiratime', host: 'nodiratime', except: crunRefuses },
  { option: 'rnosymfollow', has: 'nosymfollow', except: crunIgnores }, { option: 'rsymfollow', hasNot: 'nosymfollow', host: 'nosymfollow', except: crunIgnores },
  { option: 'rnoatime', has: 'noatime', except: crunRefuses }, { option: 'ratime', hasNot: 'noatime', host: 'noatime', except: bothRefused },
  { option: 'rrelatime', has: 'relatime', host: 'noatime', except: crunIgnores }, { option: 'rnorelatime', has: 'relatime' },
  { option: 'rstrictatime', hasNot: 'relatime', except: crunRefuses }, { option: 'rnostrictatime', has: 'relatime', host: 'strictatime', except: bothRefused },
]

conformance('recursive mount attributes', test => {
  for (const { option, has, hasNot, host = 'rw', except = {} } of recursive) {
    test(`${option} reaches what is mounted below`, async runtime => {
      await using bundle = new Bundle(runtime, ['cat', '/proc/self/mountinfo'], spec => {
        spec.mounts.push({ destination: '/data', type: 'bind', source: `${bundleDirectory}/volume`, options: ['rbind', option] })
      })
      const volume = join(bundle.directory, 'volume')
      mkdirSync(volume)
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', volume])
      try {
        mkdirSync(join(volume, 'below'))
        execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(volume, 'below')])
        for (const at of [volume, join(volume, 'below')]) execFileSync('mount', ['-o', `remount,bind,${host}`, at])
        const { stdout, stderr } = bundle.run()
        expect(stderr).toBe('')
        for (const point of ['/data', '/data/below']) {
          const options = mountinfo(stdout).find(line => line.point === point)?.options
          if (has) expect(options, point).toContain(has)
          else expect(options, point).not.toContain(hasNot)
          expect(options, point).toBeDefined()
        }
      } finally {
        execFileSync('umount', ['-R', volume])
      }
    }, except)
  }
})
