import { expect } from 'vitest'
import { Bundle, field, until } from './bundle.ts'
import { conformance } from './runtimes.ts'

/** Bits of a list of capability names (include/uapi/linux/capability.h), as /proc/<pid>/status shows them. */
const hex = (...bits: number[]) => bits.reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n).toString(16).padStart(16, '0')
const CAP_CHOWN = 0
const CAP_KILL = 5
const CAP_NET_RAW = 13

conformance('process', test => {
  test('runs as the user, with its groups and umask', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'id -u; id -g; id -G; umask'], spec => {
      spec.process.user = { uid: 1000, gid: 1001, additionalGids: [5, 1234], umask: 0o27 }
    })
    expect(bundle.run().stdout.split('\n')).toEqual(['1000', '1001', '1001 5 1234', '0027', ''])
  })

  test('has no groups but those of the spec', async runtime => {
    await using bundle = new Bundle(runtime, ['grep', 'Groups', '/proc/self/status'], spec => { spec.process.user = { uid: 5, gid: 6 } })
    expect(field(bundle.run().stdout, 'Groups')?.trim()).toBe('')
  })

  test('has the environment of the spec, and HOME', async runtime => {
    await using bundle = new Bundle(runtime, ['env'], spec => {
      spec.process.user = { uid: 1000, gid: 1000 }
      spec.process.env = ['PATH=/bin', 'A=1', 'B=two words', 'C=a=b']
    })
    const { stdout } = bundle.run()
    expect(stdout).toContain('A=1\n')
    expect(stdout).toContain('B=two words\n')
    expect(stdout).toContain('C=a=b\n')
    expect(stdout).toContain('HOME=/home/user\n')
    expect(stdout.split('\n').filter(Boolean)).toHaveLength(5)
  })

  test('starts in its working directory, which is made', async runtime => {
    await using bundle = new Bundle(runtime, ['pwd'], spec => { spec.process.cwd = '/made/for/it' })
    expect(bundle.run().stdout).toBe('/made/for/it\n')
  })

  test('finds its program by PATH', async runtime => {
    await using bundle = new Bundle(runtime, ['echo', 'found'], spec => { spec.process.env = ['PATH=/nowhere:/bin'] })
    expect(bundle.run().stdout).toBe('found\n')
  })

  test('has the capabilities of the spec as root', async runtime => {
    await using bundle = new Bundle(runtime, ['grep', 'Cap', '/proc/self/status'], spec => {
      const set = ['CAP_CHOWN', 'CAP_KILL']
      spec.process.capabilities = { bounding: [...set, 'CAP_NET_RAW'], effective: set, permitted: set }
      spec.process.noNewPrivileges = false
    })
    const { stdout } = bundle.run()
    expect(field(stdout, 'CapBnd')).toBe(hex(CAP_CHOWN, CAP_KILL, CAP_NET_RAW))
    // execve as root makes the bounding set permitted (capabilities(7)).
    expect(field(stdout, 'CapPrm')).toBe(hex(CAP_CHOWN, CAP_KILL, CAP_NET_RAW))
    expect(field(stdout, 'CapInh')).toBe(hex())
  })

  test('keeps ambient capabilities as another user', async runtime => {
    await using bundle = new Bundle(runtime, ['grep', 'Cap', '/proc/self/status'], spec => {
      const set = ['CAP_KILL']
      spec.process.user = { uid: 1000, gid: 1000 }
      spec.process.capabilities = { bounding: ['CAP_KILL', 'CAP_CHOWN'], effective: set, permitted: set, inheritable: set, ambient: set }
    })
    const { stdout } = bundle.run()
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) expect(field(stdout, set), set).toBe(hex(CAP_KILL))
    expect(field(stdout, 'CapBnd')).toBe(hex(CAP_CHOWN, CAP_KILL))
  })

  test('has no capabilities as another user without ambient ones', async runtime => {
    await using bundle = new Bundle(runtime, ['grep', 'Cap', '/proc/self/status'], spec => { spec.process.user = { uid: 1000, gid: 1000 } })
    const { stdout } = bundle.run()
    expect(field(stdout, 'CapEff')).toBe(hex())
    expect(field(stdout, 'CapPrm')).toBe(hex())
  })

  test('has none at all when the spec gives none', async runtime => {
    await using bundle = new Bundle(runtime, ['grep', 'Cap', '/proc/self/status'], spec => { delete spec.process.capabilities })
    const { stdout } = bundle.run()
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) expect(field(stdout, set), set).toBe(hex())
  }, { except: { crun: 'keeps its own' } })

  for (const value of [true, false]) {
    test(`sets no_new_privs to ${value}`, async runtime => {
      await using bundle = new Bundle(runtime, ['grep', 'NoNewPrivs', '/proc/self/status'], spec => { spec.process.noNewPrivileges = value })
      expect(field(bundle.run().stdout, 'NoNewPrivs')).toBe(value ? '1' : '0')
    })
  }

  test('sets resource limits', async runtime => {
    await using bundle = new Bundle(runtime, ['cat', '/proc/self/limits'], spec => {
      spec.process.rlimits = [
        { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 }, { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
        { type: 'RLIMIT_FSIZE', soft: 1_000_000, hard: 2_000_000 }, { type: 'RLIMIT_NPROC', soft: 64, hard: 64 },
      ]
    })
    const { stdout } = bundle.run()
    expect(stdout).toMatch(/^Max open files\s+100\s+200/m)
    expect(stdout).toMatch(/^Max core file size\s+0\s+0/m)
    expect(stdout).toMatch(/^Max file size\s+1000000\s+2000000/m)
    expect(stdout).toMatch(/^Max processes\s+64\s+64/m)
  })

  test('raises its OOM score', async runtime => {
    await using bundle = new Bundle(runtime, ['cat', '/proc/self/oom_score_adj'], spec => { spec.process.oomScoreAdj = 321 })
    expect(bundle.run().stdout).toBe('321\n')
  })

  test('has no open files but stdio', async runtime => {
    await using bundle = new Bundle(runtime, ['ls', '/proc/self/fd'])
    // 3 is the directory that ls reads.
    expect(bundle.run().stdout.split('\n').filter(Boolean)).toEqual(['0', '1', '2', '3'])
  })

  test('leads a session of its own', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'cut -d" " -f1,5,6 /proc/1/stat'])
    expect(bundle.run().stdout).toBe('1 1 1\n')
  })

  test('has default signal handling', async runtime => {
    await using bundle = new Bundle(runtime, ['grep', 'Sig', '/proc/1/status'])
    const { stdout } = bundle.run()
    expect(field(stdout, 'SigBlk')).toBe('0000000000000000')
    expect(field(stdout, 'SigIgn')).toBe('0000000000000000')
  }, { except: { runc: 'Go leaves one signal ignored' } })

  test('can open /dev/stdout as another user', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'echo again > /proc/self/fd/1'], spec => { spec.process.user = { uid: 1000, gid: 1000 } })
    bundle.up()
    await until('output', () => bundle.output === 'again\n')
  })

  test('runs a 32-bit personality', async runtime => {
    await using bundle = new Bundle(runtime, ['uname', '-m'], spec => { spec.linux.personality = { domain: 'LINUX32' } })
    expect(bundle.run().stdout).toBe('i686\n')
  }, { except: { runc: '1.1 ignores it' } })

  test('exec joins the container', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'sleep 100 # marker'])
    bundle.up()
    const { status, stdout } = bundle.exec(['sh', '-c', 'hostname; for n in mnt pid ipc uts net; do readlink /proc/self/ns/$n; readlink /proc/1/ns/$n; done; exit 5'])
    expect(status).toBe(5)
    const lines = stdout.split('\n')
    expect(lines[0]).toBe('case')
    const links = lines.filter(line => /^(mnt|pid|ipc|uts|net):/.test(line))
    expect(links).toHaveLength(10)
    expect(new Set(links).size).toBe(5)
  })

  test('exec takes user, directory and environment', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    const { stdout } = bundle.exec(['sh', '-c', 'id -u; id -g; pwd; echo $EXTRA'], ['--user', '1000:1001', '--cwd', '/tmp', '--env', 'EXTRA=yes'])
    expect(stdout).toBe('1000\n1001\n/tmp\nyes\n')
  }, { except: { crun: 'knows no --user=uid:gid with a value apart' } })

  test('exec carries stdin and its exit status', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    const { status, stdout } = bundle.invoke(['exec', bundle.id, 'sh', '-c', 'cat; exit 42'], 'through')
    expect(stdout).toBe('through')
    expect(status).toBe(42)
  })

  test('exec has the capabilities and limits of the container', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    const own = bundle.exec(['grep', '-E', 'CapBnd|CapEff|NoNewPrivs|Seccomp:', '/proc/self/status']).stdout
    const inits = bundle.exec(['grep', '-E', 'CapBnd|CapEff|NoNewPrivs|Seccomp:', '/proc/1/status']).stdout
    expect(own).toBe(inits)
  }, { except: { crun: '1.8 does not set no_new_privs' } })

  test('exec of a missing program is an error that names it', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    const { status, stderr } = bundle.exec(['no-such-program'])
    expect(status).not.toBe(0)
    expect(stderr).toContain('no-such-program')
    expect(bundle.status).toBe('running')
  })

  test('exec in a stopped container is an error', async runtime => {
    await using bundle = new Bundle(runtime, ['true'])
    bundle.up()
    await until('stopped', () => bundle.status === 'stopped')
    expect(bundle.exec(['true']).status).not.toBe(0)
  })
})
