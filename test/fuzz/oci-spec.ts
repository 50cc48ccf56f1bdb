/** Specs as clients write them: one with a value in every field, and any number of others that are right. */
import fc from 'fast-check'

const path = fc.stringMatching(/^\/[a-z0-9/._-]{0,20}$/)
const word = fc.stringMatching(/^[a-zA-Z0-9._-]{1,12}$/)
const id = fc.oneof(fc.constantFrom(0, 1000, 65534, 2 ** 32 - 1), fc.nat(2 ** 32 - 1))
const text = fc.string({ maxLength: 12, unit: 'grapheme' }).filter(value => !value.includes('\0'))
/** Keys that JSON.parse makes no prototype of: fast-check's own objects have none. */
const table = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Record<string, Value>> => fc.dictionary(word, value, { maxKeys: 3 })
const some = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value[]> => fc.array(value, { maxLength: 3 })
const record = <Shape extends object>(shape: { [Key in keyof Shape]: fc.Arbitrary<Shape[Key]> }, requiredKeys: (keyof Shape)[]): fc.Arbitrary<Partial<Shape>> =>
  fc.record(shape, { requiredKeys, noNullPrototype: true }) as fc.Arbitrary<Partial<Shape>> // with every key optional but those named

const capabilities = some(fc.constantFrom('CAP_CHOWN', 'CAP_NET_ADMIN', 'CAP_A_LATER_ONE'))
const limit = fc.tuple(fc.nat(2 ** 31 - 1), fc.nat(2 ** 31 - 1)).map(([a, b]) => ({ soft: Math.min(a, b), hard: Math.max(a, b) }))
const process = record({
  terminal: fc.boolean(), user: record({ uid: id, gid: id, umask: fc.nat(0o777), additionalGids: some(id) }, ['uid', 'gid']),
  args: fc.array(text, { minLength: 1, maxLength: 4 }).map(([first, ...more]) => [first || 'sh', ...more]),
  env: some(fc.tuple(word, text).map(([key, value]) => `${key}=${value}`)), cwd: path,
  capabilities: record({ bounding: capabilities, effective: capabilities, inheritable: capabilities, permitted: capabilities, ambient: capabilities }, []),
  rlimits: fc.uniqueArray(fc.tuple(fc.constantFrom('RLIMIT_NOFILE', 'RLIMIT_CORE', 'RLIMIT_NPROC'), limit).map(([type, both]) => ({ type, ...both })), { selector: one => one.type, maxLength: 3 }),
  noNewPrivileges: fc.boolean(), oomScoreAdj: fc.integer({ min: -1000, max: 1000 }),
}, ['user', 'args', 'cwd'])

const mount = record({ destination: path, type: word, source: text, options: some(word) }, ['destination'])
const action = fc.constantFrom('SCMP_ACT_ALLOW', 'SCMP_ACT_KILL', 'SCMP_ACT_LOG')
const comparison = record({ index: fc.nat(5), value: fc.nat(2 ** 31), valueTwo: fc.nat(2 ** 31), op: fc.constantFrom('SCMP_CMP_EQ', 'SCMP_CMP_NE', 'SCMP_CMP_MASKED_EQ') }, ['index', 'value', 'op'])
const seccomp = record({
  defaultAction: action, architectures: some(fc.constantFrom('SCMP_ARCH_X86_64', 'SCMP_ARCH_X86')),
  syscalls: some(record({ names: fc.array(word, { minLength: 1, maxLength: 3 }), action, args: some(comparison) }, ['names', 'action'])),
}, ['defaultAction'])
const resources = record({
  memory: record({ limit: fc.nat(2 ** 31 - 1) }, []), cpu: record({ shares: fc.nat(100_000), quota: fc.nat(100_000), period: fc.integer({ min: 1000, max: 100_000 }), cpus: fc.constantFrom('0', '0-3,7') }, []), pids: record({ limit: fc.nat(1_000) }, ['limit']),
}, [])
const linux = record({
  namespaces: fc.uniqueArray(fc.constantFrom('pid', 'uts', 'ipc', 'mount', 'network').map(type => ({ type })), { selector: one => one.type, maxLength: 5 }).map(all => all.some(one => one.type === 'uts') ? all : [...all, { type: 'uts' }]),
  sysctl: table(text), resources, cgroupsPath: path, maskedPaths: some(path), readonlyPaths: some(path), seccomp,
  devices: some(record({ path, type: fc.constantFrom('c', 'b'), major: fc.nat(255), minor: fc.nat(255), fileMode: fc.nat(0o777), uid: id, gid: id }, ['path', 'type', 'major', 'minor'])),
}, ['namespaces'])

export const spec = record({
  ociVersion: fc.constantFrom('1.0.0', '1.1.0', '1.2.0', '1.0.2-dev'), root: record({ path: word, readonly: fc.boolean() }, ['path']), process, hostname: word, mounts: some(mount), annotations: table(text), linux,
}, ['ociVersion', 'root'])
  // A name of its own needs a namespace of its own.
  .map(value => value.linux === undefined ? { ...value, linux: { namespaces: [{ type: 'uts' }] } } : value)

export const fullSpec = {
  ociVersion: '1.2.0',
  process: {
    terminal: true, consoleSize: { height: 24, width: 80 }, user: { uid: 0, gid: 0, umask: 18, additionalGids: [10] }, args: ['sh', '-c', 'x'], env: ['PATH=/bin', 'EMPTY='], cwd: '/',
    capabilities: { bounding: ['CAP_CHOWN'], effective: ['CAP_CHOWN'], inheritable: [], permitted: ['CAP_CHOWN'], ambient: [] },
    rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }], noNewPrivileges: true, oomScoreAdj: 5,
    scheduler: { policy: 'SCHED_OTHER', nice: 5 }, ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 }, execCPUAffinity: { initial: '0', final: '0-3' },
  },
  root: { path: 'rootfs', readonly: false },
  hostname: 'host',
  domainname: 'domain',
  mounts: [{ destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid'] }, { destination: '/data', type: 'bind', source: '/srv', options: ['rbind', 'ro'] }],
  hooks: { prestart: [{ path: '/bin/a', args: ['a'], env: ['A=b'], timeout: 5 }], poststop: [{ path: '/bin/b' }] },
  annotations: { key: 'value' },
  linux: {
    uidMappings: [{ containerID: 0, hostID: 1000, size: 10 }], gidMappings: [{ containerID: 0, hostID: 1000, size: 10 }], sysctl: { 'net.core.somaxconn': '256' },
    resources: {
      devices: [{ allow: false, access: 'rwm' }, { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' }], memory: { limit: 1 << 20, swap: 1 << 21, reservation: 1 << 19 },
      cpu: { shares: 512, quota: 1000, period: 100_000, cpus: '0-1', mems: '0' }, pids: { limit: 10 }, blockIO: { weight: 100 }, hugepageLimits: [{ pageSize: '2MB', limit: 0 }], unified: { 'memory.high': '1' },
    },
    cgroupsPath: '/default/a', namespaces: ['pid', 'uts', 'ipc', 'mount', 'user', 'time', 'cgroup'].map(type => ({ type })),
    devices: [{ path: '/dev/a', type: 'c', major: 1, minor: 3, fileMode: 438, uid: 0, gid: 0 }],
    seccomp: {
      defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 1, architectures: ['SCMP_ARCH_X86_64'], flags: ['SECCOMP_FILTER_FLAG_LOG'],
      syscalls: [{ names: ['read', 'write'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 1, valueTwo: 0, op: 'SCMP_CMP_EQ' }] }, { names: ['ptrace'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 }],
    },
    rootfsPropagation: 'rprivate', maskedPaths: ['/proc/kcore'], readonlyPaths: ['/proc/sys'], personality: { domain: 'LINUX' }, timeOffsets: { monotonic: { secs: 5, nanosecs: 1 } },
  },
}
