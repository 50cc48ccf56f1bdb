/** The keys of the configuration: type, range, default and what each is for. README has the same table (test/repo/readme.spec.ts). */

/** How one key is read. `T` is its type in Config. */
export interface Key<T> {
  readonly fallback: T
  /** What values are allowed, in words: `a whole number from 1 to 64`. */
  readonly allowed: string
  readonly about: string
  /** The value as configured, or undefined when it is not allowed. */
  read(value: unknown): T | undefined
}

function integer(fallback: number, min: number, max: number, about: string): Key<number> {
  return {
    fallback, about, allowed: `a whole number from ${min} to ${max}`,
    // TOML integers come as bigint when they are large: those are out of every range here.
    read: value => typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max ? value : undefined,
  }
}

function oneOf<const T extends string>(fallback: NoInfer<T>, values: readonly T[], about: string): Key<T> {
  return { fallback, about, allowed: values.map(value => `"${value}"`).join(', '), read: value => values.find(known => known === value) }
}

function boolean(fallback: boolean, about: string): Key<boolean> {
  return { fallback, about, allowed: 'true or false', read: value => typeof value === 'boolean' ? value : undefined }
}

/** Text of a command line: no control characters, so that nothing can be smuggled in a line end. */
function text(fallback: string, about: string): Key<string> {
  return {
    fallback, about, allowed: 'text of at most 1024 characters without control characters',
    read: value => typeof value === 'string' && value.length <= 1024 && !hasControl(value) ? value : undefined,
  }
}

/** A file: absolute, because the shim's working directory is the bundle, which a pod author has a say in. */
function file(fallback: string, about: string): Key<string> {
  return {
    fallback, about, allowed: 'an absolute path without control characters or commas',
    read: value => typeof value === 'string' && isPath(value) ? value : undefined,
  }
}

/** A program: a path, or a name that is looked for beside the shim and then in PATH. */
function program(fallback: string, about: string): Key<string> {
  return {
    fallback, about, allowed: 'an absolute path, or the name of a program beside the shim or in PATH',
    read: value => typeof value === 'string' && (isPath(value) || /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(value)) ? value : undefined,
  }
}

/** A list of known names. */
function names<const T extends string>(known: readonly T[], about: string): Key<readonly T[]> {
  return {
    fallback: [], about, allowed: `a list of ${known.map(name => `"${name}"`).join(', ')}`,
    read: value => Array.isArray(value) && value.every((name: unknown) => known.some(each => each === name)) ? value as T[] : undefined, // every member was just found among them
  }
}

/**
 * What an operator may let a pod's annotations set: the guest's own size and how it is watched. Nothing that names a
 * file, a program or an argument of the host.
 */
export const annotatable = [
  'hypervisor.memory_mib', 'hypervisor.vcpus', 'hypervisor.machine', 'share.cache', 'agent.timeout_ms', 'log.level', 'debug.console',
] as const

function hasControl(value: string): boolean {
  return /[\u0000-\u001f\u007f]/.test(value)
}

/** QEMU's option syntax separates by commas, virtiofsd's too: a path with one cannot be said to either. */
function isPath(value: string): boolean {
  return /^\/[^,]+$/.test(value) && value.length < 4096 && !hasControl(value)
}

/** Names here are camelCase; in the file they are snake_case. */
export const schema = {
  hypervisor: {
    type: oneOf('qemu', ['qemu', 'none'], 'what runs a sandbox: a QEMU microVM, or "none", the agent on the host without a VM'),
    path: program('qemu-system-x86_64', 'the VMM'),
    machine: oneOf('auto', ['auto', 'microvm', 'q35'], 'QEMU machine type; auto: q35, whose memory can be resized, for pods, and microvm, which boots faster, for a container alone'),
    accelerator: oneOf('auto', ['auto', 'kvm', 'tcg'], 'auto: KVM where a trial guest runs, otherwise TCG with a warning'),
    cpu: text('', 'QEMU CPU model; empty: host under KVM, max under TCG'),
    // Below 64 MiB a kernel may end without a word: the limit is the place where the cause can be told.
    memoryMib: integer(256, 64, 1024 * 1024, 'memory of a sandbox without a memory limit, MiB'),
    memoryOverheadMib: integer(96, 48, 16 * 1024, 'memory that a sandbox with a memory limit has beside it, for the guest\'s kernel and agent, MiB'),
    maxMemoryMib: integer(0, 0, 1024 * 1024, 'the most memory that a limit, an annotation or a resize gives a sandbox, MiB; 0: what the host has'),
    vcpus: integer(1, 1, 255, 'virtual CPUs of a sandbox without a CPU limit; with one, the limit rounded up'),
    maxVcpus: integer(0, 0, 255, 'the most virtual CPUs that a limit, an annotation or a resize gives a sandbox; 0: as many as the host has'),
    hotPlugSlots: integer(4, 0, 64, 'devices that can be plugged into a running VM: block volumes, network interfaces that come later'),
    unprivileged: boolean(true, 'the VMM runs as a user of its own without capabilities'),
    confinement: boolean(true, 'VMM, virtiofsd and vsock daemon each have namespaces of their own and a root directory that holds only what they need'),
    vmmMemoryMib: integer(256, 0, 64 * 1024, 'the most memory that the VMM may use beside its guest\'s, MiB; without KVM 1024 more, for translated code; 0: no limit'),
    vmmThreads: integer(256, 0, 65_536, 'threads and processes that the VMM, beside one for each vCPU, and virtiofsd may have; 0: no limit'),
    sandbox: boolean(true, 'QEMU drops the system calls it does not need (-sandbox on)'),
  },
  guest: {
    kernel: file('/usr/share/kata-ts/vmlinux', 'guest kernel: an ELF file with a PVH entry'),
    initrd: file('/usr/share/kata-ts/initrd.cpio', 'guest image'),
    firmware: file('/usr/share/qemu/qboot.rom', 'firmware of the VM'),
    kernelParams: text('', 'added to the kernel command line'),
  },
  vsock: {
    type: oneOf('auto', ['auto', 'vhost', 'vhost-user'], 'auto: the kernel\'s vhost-vsock where the host has it, otherwise a vhost-user daemon'),
    daemon: program('vhost-device-vsock', 'the vhost-user-vsock daemon'),
  },
  network: {
    model: oneOf('auto', ['auto', 'tc', 'macvtap'], 'how packets get from a pod\'s interfaces to its VM: by a tap and tc redirects, or by macvtap; auto: tc, and macvtap where the host\'s kernel lacks it'),
  },
  share: {
    virtiofsd: program('/usr/lib/qemu/virtiofsd', 'the virtio-fs daemon: the C one of QEMU up to 7.2 (below a directory qemu), or the Rust crate (elsewhere)'),
    cache: oneOf('auto', ['none', 'auto', 'always'], 'how long the guest trusts what it read: not at all, until the host changed it (noticed within a second), for ever'),
    xattr: boolean(true, 'extended attributes of shared files (file capabilities need them)'),
    memoryMib: integer(3072, 0, 1024 * 1024, 'the most memory that virtiofsd may use, MiB: what the host remembers of each file that the guest knows, pages that can be dropped, and what the guest writes to files in memory (tmpfs); 0: no limit'),
  },
  agent: {
    path: program('kata-ts-agent', 'the agent, where hypervisor.type is "none"'),
    timeoutMs: integer(60_000, 100, 3_600_000, 'time for the guest to boot and its agent to call, milliseconds'),
    createTimeoutMs: integer(60_000, 100, 3_600_000, 'time for the agent to make or start a container or process, milliseconds'),
    callTimeoutMs: integer(10_000, 100, 3_600_000, 'time for any other answer of the agent, milliseconds'),
    killTimeoutMs: integer(30_000, 100, 3_600_000, 'time for a container to end after SIGKILL; then its VM is ended, milliseconds'),
    outputTimeoutMs: integer(60_000, 100, 3_600_000, 'time for what a process wrote to arrive after its end, milliseconds'),
  },
  annotations: {
    enable: names(annotatable, 'keys that a pod may set by its annotation io.kata-ts.config.KEY, each within the limits above'),
  },
  log: {
    level: oneOf('info', ['error', 'warn', 'info', 'debug'], 'least severe line that is logged'),
  },
  debug: {
    console: boolean(false, 'the guest\'s kernel messages on its console (and, with log level debug, in the log)'),
  },
} as const

type Schema = typeof schema

/** The configuration, every key present. */
export type Config = { readonly [S in keyof Schema]: { readonly [K in keyof Schema[S]]: Schema[S][K] extends Key<infer T> ? T : never } }

/** `memoryMib` → `memory_mib`. */
export function tomlName(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}
