import { chmodSync, writeFileSync } from 'node:fs'
import { contained, escaped, type Attack } from '../../attack.ts'
import { wrapped } from '../../weak-runc.ts'

/** Each names a program that runs on the host, in the words of kata-ts, of Kata and of crun. */
const programs = [
  'io.kata-ts.config.hypervisor.path', 'io.kata-ts.config.vsock.daemon', 'io.kata-ts.config.share.virtiofsd', 'io.kata-ts.config.agent.path',
  'io.katacontainers.config.hypervisor.path', 'io.katacontainers.config.hypervisor.virtio_fs_daemon', 'io.katacontainers.config.hypervisor.jailer_path',
  'run.oci.hooks.stdout',
]
/** Each names a file that the host would open, or arguments that the VMM or its daemons would get. */
const others = (path: string): Record<string, string> => ({
  'io.kata-ts.config.hypervisor.type': 'none',
  'io.kata-ts.config.hypervisor.unprivileged': 'false',
  'io.kata-ts.config.hypervisor.cpu': `max -drive file=${path}`,
  'io.kata-ts.config.guest.kernel': path,
  'io.kata-ts.config.guest.initrd': path,
  'io.kata-ts.config.guest.firmware': path,
  'io.kata-ts.config.guest.kernel_params': 'init=/bin/sh',
  'io.kata-ts.config.annotations.enable': '["hypervisor.path"]',
  'io.kata-ts.config.hypervisor.memory_mib': `256,file=${path}`,
  'io.katacontainers.config_path': path,
  'io.katacontainers.config.hypervisor.kernel': path,
  'io.katacontainers.config.hypervisor.image': path,
  'io.katacontainers.config.hypervisor.kernel_params': 'agent.debug_console',
  'io.katacontainers.config.hypervisor.virtio_fs_extra_args': `["--log-file=${path}"]`,
  'io.katacontainers.config.agent.enable_tracing': 'true',
})

export const attack: Attack = {
  id: 'CVE-2020-27151',
  title: 'annotations that name a program of the host\'s, its files or arguments (also GHSA-rr59-xxvx-96qr)',
  family: 'author',
  leak: 'root on the host: the runtime runs a file that a pod named',
  bound: 'container',
  control: { weak: 'a double that obeys Kata\'s annotation hypervisor.path, before runc, as Kata did' },
  async run(site) {
    const program = `${site.directory}/program`
    writeFileSync(program, `#!/bin/sh\nid -u >${site.directory}/executed\n`)
    chmodSync(program, 0o755)
    const obeying = site.weak
      ? { runtimeOptions: wrapped(site, 'named=$(sed -n \'s/.*"io.katacontainers.config.hypervisor.path":"\\([^"]*\\)".*/\\1/p\' config.json); [ -z "$named" ] || "$named"') }
      : {}
    const canary = site.plant()
    const answers: string[] = []
    for (const annotations of [...programs.map((key) => ({ [key]: program })), others(canary)]) {
      const { stdout, refusal } = await site.attempt({ args: ['sh', '-c', 'dmesg | head -n 30; echo ran'], spec: (spec) => { spec.annotations = annotations }, ...obeying })
      if (site.read('executed') !== undefined) return escaped(`the host ran the program that ${Object.keys(annotations)[0]} named, as uid ${site.read('executed')?.trim()}`)
      if (site.read('canary') !== `${site.secret}\n`) return escaped(`a file that an annotation named was changed on the host`)
      answers.push(refusal === undefined ? 'ignored' : `refused (${refusal})`)
      if (/init=\/bin\/sh|debug_console/.test(stdout)) return escaped('the guest\'s kernel was started with the pod\'s arguments')
    }
    return contained(`${programs.length} programs and ${Object.keys(others('')).length} files and arguments: ${[...new Set(answers)].join(', ')}; no program ran on the host`)
  },
}
