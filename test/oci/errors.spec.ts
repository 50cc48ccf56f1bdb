import { rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Bundle, type Change } from './bundle.ts'
import { conformance } from './runtimes.ts'

/** Each must be an error of create that says what is wrong, and leave nothing. */
const faults: { what: string; says: RegExp; change: Change; except?: { runc?: string; crun?: string } }[] = [
  { what: 'a program that does not exist', says: /no-such/, change: spec => { spec.process.args = ['no-such'] } },
  { what: 'a program path that does not exist', says: /\/bin\/no-such/, change: spec => { spec.process.args = ['/bin/no-such'] } },
  { what: 'a program that is not executable', says: /passwd/, change: spec => { spec.process.args = ['/etc/passwd'] }, except: { crun: 'does not name it' } },
  { what: 'no program', says: /args/, change: spec => { spec.process.args = [] }, except: { crun: 'does not name it' } },
  { what: 'no root file system', says: /missing/, change: spec => { spec.root.path = 'missing' } },
  { what: 'a mount source that does not exist', says: /no-source/, change: spec => { spec.mounts.push({ destination: '/data', source: '/no-source', options: ['bind'] }) } },
  { what: 'an unknown file system', says: /nosuchfs|No such device|no such device/i, change: spec => { spec.mounts.push({ destination: '/data', type: 'nosuchfs', source: 'x' }) } },
  { what: 'a mount option the file system refuses', says: /tmpfs|data/, change: spec => { spec.mounts.push({ destination: '/data', type: 'tmpfs', source: 'x', options: ['size=nonsense'] }) } },
  { what: 'a mount over /proc’s inside', says: /proc/, change: spec => { spec.mounts.push({ destination: '/proc/tty', source: '/etc', options: ['bind'] }) }, except: { crun: 'lets it be' } },
  { what: 'an unknown resource limit', says: /RLIMIT_NONSENSE/i, change: spec => { spec.process.rlimits = [{ type: 'RLIMIT_NONSENSE', soft: 1, hard: 1 }] } },
  { what: 'a hook that does not exist', says: /no-hook/, change: spec => { spec.hooks = { createRuntime: [{ path: '/no-hook' }] } } },
  { what: 'an AppArmor profile where there is no AppArmor', says: /apparmor/i, change: spec => { spec.process.apparmorProfile = 'docker-default' }, except: { crun: 'ignores it' } },
  { what: 'an unknown namespace type', says: /nonsense/, change: spec => { spec.linux.namespaces?.push({ type: 'nonsense' as 'pid' }) } },
]

conformance('errors', test => {
  for (const { what, says, change, except } of faults) {
    test(`refuses ${what}`, async runtime => {
      await using bundle = new Bundle(runtime, ['true'], change)
      const created = bundle.create()
      expect(created.status).not.toBe(0)
      expect(created.stderr).toMatch(says)
      expect(bundle.leftovers()).toEqual([])
    }, except ? { except } : {})
  }

  for (const [what, text] of [['empty', ''], ['cut off', '{"ociVersion": "1.0.2", "process": {'], ['of another shape', '[1, 2]']] as const) {
    test(`refuses a config.json that is ${what}`, async runtime => {
      await using bundle = new Bundle(runtime, ['true'])
      writeFileSync(join(bundle.directory, 'config.json'), text)
      expect(bundle.create().status).not.toBe(0)
      expect(bundle.leftovers()).toEqual([])
    })
  }

  test('refuses a missing config.json', async runtime => {
    await using bundle = new Bundle(runtime, ['true'])
    rmSync(join(bundle.directory, 'config.json'))
    const created = bundle.create()
    expect(created.status).not.toBe(0)
    expect(created.stderr).toContain('config.json')
    expect(bundle.leftovers()).toEqual([])
  })

  test('has an error at start for a program whose interpreter is missing', async runtime => {
    await using bundle = new Bundle(runtime, ['/bin/script'])
    writeFileSync(join(bundle.rootfs, 'bin/script'), '#!/no/interpreter\n', { mode: 0o755 })
    expect(bundle.run().status).not.toBe(0)
    expect(bundle.leftovers()).toEqual([])
  })

  test('does not follow a link of the image out of the root', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'cat /etc/passwd | wc -l'])
    rmSync(join(bundle.rootfs, 'etc/passwd'))
    symlinkSync('/proc/self/cwd/../../../../etc/passwd', join(bundle.rootfs, 'etc/passwd'))
    expect(bundle.run().status).toBe(0)
  })

  for (const verb of ['start', 'state', 'kill', 'delete'] as const) {
    test(`${verb} of a container that does not exist is an error`, async runtime => {
      await using bundle = new Bundle(runtime, ['true'])
      const { status, stderr } = bundle.invoke([verb, 'no-such-container'])
      expect(status).not.toBe(0)
      expect(stderr).toContain('no-such-container')
    }, { except: { runc: 'does not name it' } })
  }

  test('delete --force of a container that does not exist is no error', async runtime => {
    await using bundle = new Bundle(runtime, ['true'])
    expect(bundle.invoke(['delete', '--force', 'no-such-container']).status).toBe(0)
  })
})
