import { describe, expect, it } from 'vitest'
import { parseProcess, parseResources, parseSpec, SpecError } from './parse.ts'
import type { Spec } from './spec.ts'

/** As `ctr run` writes it, in short. */
const good = {
  ociVersion: '1.1.0',
  process: {
    user: { uid: 0, gid: 0, additionalGids: [10] },
    args: ['sh'],
    env: ['PATH=/bin', 'EMPTY='],
    cwd: '/',
    capabilities: { bounding: ['CAP_CHOWN'], effective: ['CAP_CHOWN'], permitted: ['CAP_CHOWN'] },
    rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
    noNewPrivileges: true,
  },
  root: { path: 'rootfs' },
  mounts: [{ destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid'] }],
  linux: {
    resources: { devices: [{ allow: false, access: 'rwm' }], memory: { limit: 1 << 20 } },
    cgroupsPath: '/default/a',
    namespaces: [{ type: 'pid' }, { type: 'uts' }, { type: 'network', path: '/run/netns/a' }],
    maskedPaths: ['/proc/kcore'],
    seccomp: { defaultAction: 'SCMP_ACT_ERRNO', architectures: ['SCMP_ARCH_X86_64'], syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }] },
  },
}

/** `good`, with the value at `path` (dots and numbers) replaced; undefined removes it. */
function spoilt(path: string, value: unknown): string {
  const copy: unknown = structuredClone(good)
  const keys = path.split('.')
  const last = keys.pop() ?? ''
  let holder = copy as Record<string, unknown>
  for (const key of keys) holder = (holder[key] ??= {}) as Record<string, unknown>
  if (value === undefined) delete holder[last]
  else holder[last] = value
  return JSON.stringify(copy)
}

function problemsOf(json: string): readonly string[] {
  try {
    parseSpec(json)
  } catch (error) {
    if (error instanceof SpecError) return error.problems
    throw error
  }
  return []
}

describe('parseSpec', () => {
  it('reads a correct spec', () => {
    expect(parseSpec(JSON.stringify(good))).toEqual(good)
  })

  it('tolerates fields it does not know, at every level', () => {
    const json = JSON.stringify({ ...good, windows: { servicing: 1 }, process: { ...good.process, commandLine: 'x' } })
    expect(problemsOf(json)).toEqual([])
  })

  it('takes null for absent, as Go clients write it', () => {
    const spec: Spec = parseSpec(JSON.stringify({ ...good, mounts: null, linux: { ...good.linux, sysctl: null } }))
    expect(spec.mounts).toBeUndefined()
    expect(spec.linux).not.toHaveProperty('sysctl')
  })

  const refusals: [path: string, value: unknown, problem: RegExp][] = [
    ['ociVersion', undefined, /^ociVersion: missing; give the version/],
    ['ociVersion', '2.0.0', /^ociVersion: "2\.0\.0"; must be a version 1\.x\.y/],
    ['root', undefined, /^root: missing; give the path/],
    ['process.args', [], /^process\.args: empty; give the program to run \(config\.md#process\)$/],
    ['process.args', undefined, /^process\.args: empty/],
    ['process.args.0', '', /^process\.args\[0\]: an empty string/],
    ['process.args.0', 'a\0b', /^process\.args\[0\]: holds a NUL/],
    ['process.args.0', 7, /^process\.args\[0\]: 7; must be a string/],
    ['process.cwd', 'tmp', /^process\.cwd: "tmp"; must be an absolute path/],
    ['process.user', undefined, /^process\.user: missing; give the uid and gid/],
    ['process.user.uid', -1, /^process\.user\.uid: -1; must be a whole number from 0 to 4294967295/],
    ['process.user.uid', 1.5, /^process\.user\.uid: 1\.5; must be a whole number/],
    ['process.env.0', 'PATH', /^process\.env\[0\]: "PATH"; must be KEY=value/],
    ['process.capabilities.bounding.0', 'chown', /^process\.capabilities\.bounding\[0\]: "chown"; must be a capability/],
    ['process.rlimits.0.type', 'RLIMIT_X', /^process\.rlimits\[0\]\.type: "RLIMIT_X"; must be one of RLIMIT_CPU/],
    ['process.rlimits.0.soft', 2048, /^process\.rlimits\[0\]\.soft: 2048; must not be above hard/],
    ['process.rlimits.1', { type: 'RLIMIT_NOFILE', hard: 1, soft: 1 }, /^process\.rlimits\[1\]: "RLIMIT_NOFILE" a second time/],
    ['process.oomScoreAdj', 1001, /^process\.oomScoreAdj: 1001; must be a whole number from -1000 to 1000/],
    ['mounts.0.destination', '', /^mounts\[0\]\.destination: ""; must be a path/],
    ['mounts.0.uidMappings', [], /^mounts\[0\]: has only one of uidMappings and gidMappings/],
    ['mounts', {}, /^mounts: an object; must be a list/],
    ['hostname', 'x'.repeat(65), /^hostname: .*at most 64/],
    ['linux.namespaces', [{ type: 'pid' }, { type: 'pid' }], /^linux\.namespaces\[1\]: "pid" a second time/],
    ['linux.namespaces.0.type', 'pids', /^linux\.namespaces\[0\]\.type: "pids"; must be one of pid, network/],
    ['linux.namespaces.2.path', 'netns', /^linux\.namespaces\[2\]\.path: "netns"; must be an absolute path/],
    ['linux.uidMappings', [{ containerID: 0, hostID: 0, size: 1 }], /^linux\.uidMappings: given, but namespaces has no user/],
    ['linux.seccomp.defaultAction', 'ALLOW', /^linux\.seccomp\.defaultAction: "ALLOW"; must be one of SCMP_ACT_KILL/],
    ['linux.seccomp.syscalls.0.names', [], /^linux\.seccomp\.syscalls\[0\]\.names: empty/],
    ['linux.seccomp.syscalls.0.errnoRet', 1, /^linux\.seccomp\.syscalls\[0\]\.errnoRet: given with SCMP_ACT_ALLOW/],
    ['linux.seccomp.syscalls.0.args', [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }], /args\[0\]\.index: 6; must be a whole number from 0 to 5/],
    ['linux.resources.unified', { '../x': '1' }, /^linux\.resources\.unified\."\.\.\/x": must be the name of a cgroup v2 file/],
    ['linux.resources.memory', { limit: 10, swap: 5 }, /^linux\.resources\.memory\.swap: 5; it is memory and swap together/],
    ['linux.devices', [{ path: '/dev/a', type: 'c', major: 1 }], /^linux\.devices\[0\]\.minor: missing/],
    ['hooks', { prestart: [{ path: 'a' }] }, /^hooks\.prestart\[0\]\.path: "a"; must be an absolute path/],
  ]
  it.each(refusals)('refuses %s = %j', (path, value, problem) => {
    const problems = problemsOf(spoilt(path, value))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(problem)
  })

  it('refuses a host name that would change the machine\'s own', () => {
    const json = JSON.stringify({ ...good, hostname: 'a', linux: { ...good.linux, namespaces: [{ type: 'pid' }] } })
    expect(problemsOf(json)).toEqual(['hostname: given, but linux.namespaces has no uts namespace (config.md#hostname)'])
  })

  it('takes mappings beside a user namespace that is joined', () => {
    const json = JSON.stringify({
      ...good,
      linux: { ...good.linux, uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }], namespaces: [{ type: 'user', path: '/proc/1/ns/user' }] },
    })
    expect(problemsOf(json)).toEqual([])
  })

  it('names every problem in one error', () => {
    const json = JSON.stringify({ ...good, process: { ...good.process, args: [], cwd: '' }, root: {} })
    expect(() => parseSpec(json)).toThrow(/^config\.json: root\.path: missing.*; process\.cwd: ""/)
  })

  it('keeps the error short when everything is wrong', () => {
    const json = JSON.stringify({ ...good, mounts: Array.from({ length: 1000 }, () => 1) })
    expect(problemsOf(json)).toHaveLength(20)
    expect(() => parseSpec(json)).toThrow(/and 980 more$/)
  })

  it.each([['', /is empty/], ['{', /is not JSON/], ['[]', /the document: a list of 0; must be an object/], ['null', /the document: null/]])(
    'refuses %j, which is no object', (json, problem) => {
      expect(() => parseSpec(json)).toThrow(problem)
    })

  it('takes the kernel\'s "no limit" of 2^64-1', () => {
    const json = spoilt('process.rlimits.0.hard', 0).replace('"hard":0', '"hard":18446744073709551615')
    expect(parseSpec(json).process?.rlimits?.[0]?.hard).toBe(2 ** 64)
  })
})

describe('arguments of a system call filter above 2^53', () => {
  const argument = (value: string) => spoilt('linux.seccomp.syscalls.0.args', [{ index: 0, value: 4242, op: 'SCMP_CMP_EQ' }]).replace('4242', value)

  it.each(['9007199254740993', '18446744073709551614', '1152921504606846977'])('%s would be compared as another number, and is refused', value => {
    expect(() => parseSpec(argument(value))).toThrow(new RegExp(`linux\\.seccomp\\.syscalls: argument value ${value}`))
  })

  it.each(['2114060288', '9007199254740992', '18446744073709551615', '18446744073709552000', '1152921504606846976'])('%s is kept', value => {
    expect(parseSpec(argument(value)).linux?.seccomp?.syscalls?.[0]?.args?.[0]?.value).toBe(Number(value))
  })

  it('are not looked for in strings', () => {
    const json = JSON.stringify({ ...good, annotations: { a: '{"value": 9007199254740993}' } })
    expect(problemsOf(json)).toEqual([])
  })
})

describe('parseProcess and parseResources', () => {
  it('name the fields from their own root', () => {
    expect(() => parseProcess('{"user":{"uid":0,"gid":0},"args":["a"],"cwd":"b"}')).toThrow('process: cwd: "b"; must be an absolute path')
    expect(() => parseResources('{"cpu":{"cpus":"x"}}')).toThrow('resources: cpu.cpus: "x"; must be a list such as 0-3,7')
  })

  it('read what an exec and an update send', () => {
    expect(parseProcess('{"user":{"uid":0,"gid":0},"args":["a"],"cwd":"/"}').args).toEqual(['a'])
    expect(parseResources('{"memory":{"limit":9223372036854771712}}').memory?.limit).toBe(9223372036854771712)
  })
})
