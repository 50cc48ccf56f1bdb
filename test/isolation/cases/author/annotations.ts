import { chmodSync, writeFileSync } from 'node:fs'
import { contained, escaped, reachedGuest, type Attack } from '../../attack.ts'
import { oursRuntime } from '../../options.ts'
import { wrapped } from '../../weak-runc.ts'

/** Each names a program that runs on the host. */
const programs = (path: string): Record<string, string> => Object.fromEntries([
  'io.kata-ts.config.hypervisor.path', 'io.kata-ts.config.vsock.daemon', 'io.kata-ts.config.share.virtiofsd', 'io.kata-ts.config.agent.path',
  'io.katacontainers.config.hypervisor.path', 'io.katacontainers.config.hypervisor.virtio_fs_daemon', 'io.katacontainers.config.hypervisor.jailer_path',
  'run.oci.hooks.stdout',
].map((key) => [key, path]))

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
  'io.katacontainers.config.hypervisor.kernel_params': 'init=/bin/sh',
  'io.katacontainers.config.hypervisor.virtio_fs_extra_args': `["--log-file=${path}"]`,
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
    let refused = ''
    const all = Object.entries({ ...programs(program), ...others(canary) })
    // Each of ours by itself, as the first that is refused would hide the rest; those of others together, as they are ignored.
    const ours = all.filter(([key]) => key.startsWith('io.kata-ts.')).map((entry) => [entry])
    for (const entries of [...ours, all.filter(([key]) => !key.startsWith('io.kata-ts.'))]) {
      const annotations = Object.fromEntries(entries)
      const { stdout, refusal } = await site.attempt({ args: ['cat', '/proc/cmdline'], spec: (spec) => { spec.annotations = annotations }, ...obeying })
      if (site.read('executed') !== undefined) return escaped(`the host ran the program that ${Object.keys(annotations).join(' or ')} named, as uid ${site.read('executed')?.trim()}`)
      if (site.read('canary') !== `${site.secret}\n`) return escaped(`a file that an annotation named was changed on the host`)
      answers.push(refusal === undefined ? 'ignored' : 'refused')
      refused = refusal ?? refused
      if (/init=\/bin\/sh/.test(stdout)) return escaped('the guest\'s kernel was started with the pod\'s arguments')
    }
    if (site.runtime === oursRuntime) {
      // In range, and of a kind that an operator may allow; none did.
      const { refusal } = await site.attempt({ args: ['true'], spec: (spec) => { spec.annotations = { 'io.kata-ts.config.hypervisor.memory_mib': '192' } } })
      if (refusal === undefined) return reachedGuest('the pod set hypervisor.memory_mib, which the operator has not allowed')
    }
    const count = (answer: string): number => answers.filter((each) => each === answer).length
    return contained(`of ${ours.length} words of kata-ts' own ${count('refused')} are refused, all others ignored; no program ran and no file changed on the host; ${refused}`)
  },
}
