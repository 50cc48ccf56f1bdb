import { execFileSync } from 'node:child_process'
import { copyFileSync, statSync } from 'node:fs'
import type { Container } from '../../../e2e/container.ts'
import { contained, escaped, reachedGuest, type Attack, type Verdict } from '../../attack.ts'
import { hadKernel, hasOwnKernel } from '../../kernel.ts'
import { install } from '../../programs.ts'
import type { Site } from '../../site.ts'
import { addCapabilities } from '../../spec-changes.ts'

async function watcher(site: Site, capabilities: readonly string[] = ['CAP_SYS_PTRACE']): Promise<{ container: Container; pid: number; own: boolean }> {
  const container = await site.create({
    rootfs: (layer) => install(layer, 'overwrite-exe'), args: ['/attack/overwrite-exe'],
    // With it even a process that is not dumpable can be looked at: the attacker's best case.
    spec: (spec) => addCapabilities(spec.process, ...capabilities),
  })
  const pid = await container.start()
  await container.output.until(/watching/)
  return { container, pid, own: await hasOwnKernel(container) }
}

async function stop(container: Container): Promise<string> {
  const end = container.wait()
  // Where the attack has got through the program has ended, and no exec is possible any more.
  await container.exec(['touch', '/attack/stop']).catch(() => undefined)
  await end
  return (await container.output.complete).toString()
}

/** Programs of the host that a runtime runs for a container, with the time of their last change. */
function changeTimes(site: Site): string {
  const shim = `containerd-shim-${site.runtime.split('.').slice(2).join('-')}`
  const paths = site.host.shell(`for name in runc crun ${shim}; do command -v $name || true; done`).split('\n').filter(Boolean)
  return paths.map((path) => `${path} ${statSync(path).mtimeMs}`).join('\n')
}

function verdict(output: string, own: boolean, hostChanged: boolean): Verdict {
  if (hostChanged) return escaped(`a program of the host was written: ${output}`)
  if (/^wrote/m.test(output)) return hadKernel(own, `the container could write the runtime's program: ${output}`)
  return contained(`${[...new Set(output.split('\n').slice(1))].join(' ')}; the runtime's programs on the host are unchanged`)
}

/** A runtime that, as runc before 1.0-rc7, runs its own program inside the container's PID namespace. */
async function oldRuntime(site: Site): Promise<Verdict> {
  const { container, pid, own } = await watcher(site)
  // Copies, as both are seen from inside: who enters, and what it runs there. busybox knows its applets by its own name's end.
  const runtime = ['nsenter', 'busybox'].map((name) => `${site.directory}/${name}`)
  for (const path of runtime) copyFileSync(`/usr/bin/${path.split('/').at(-1)}`, path)
  const [enter = '', run = ''] = runtime
  const times = (): string => runtime.map((path) => statSync(path).mtimeMs).join(' ')
  const before = times()
  // The watcher may be elsewhere while one of them lives: a loaded machine gets more of them.
  for (let round = 0; round < 50; round++) {
    try {
      execFileSync(enter, ['--target', String(pid), '--pid', run, 'sleep', '0.05'], { stdio: 'pipe' })
    } catch {
      // The watcher ends when it has got through, and its namespace with it; what it says is judged.
      break
    }
  }
  return verdict(await stop(container), own, times() !== before)
}

export const attack: Attack = {
  id: 'CVE-2019-5736',
  title: 'the runtime\'s own program, opened through /proc/PID/exe while it enters the container, and written',
  family: 'container',
  leak: 'root on the host with the next container that is started',
  bound: 'container',
  control: { weak: 'a double of old runc: a program of the host inside the container\'s PID namespace', run: oldRuntime },
  async run(site) {
    const before = changeTimes(site)
    const { container, own } = await watcher(site)
    await execs(container)
    const said = verdict(await stop(container), own, changeTimes(site) !== before)
    // Without the capability not even opened: whose program can be, can have its memory and descriptors read as well.
    const { container: plain } = await watcher(site, [])
    await execs(plain)
    const seen = Number(/^end: (\d+)/m.exec(await stop(plain))?.[1] ?? 0)
    if (said.reach === 'container' && own && seen > 0) return reachedGuest(`without any capability the program of ${seen} processes of the runtime could be opened`)
    return { ...said, evidence: `${said.evidence}; without CAP_SYS_PTRACE ${seen} of the runtime's programs could be opened` }
  },
}

async function execs(container: Container): Promise<void> {
  for (let round = 0; round < 8; round++) await container.exec(['true']).catch(() => undefined)
}
