/** The containerd whose runtimes are attacked: hack/stack's private one, or the one that CONTAINERD_ADDRESS names. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { ContainerdClient } from '../e2e/containerd/client.ts'
import { inStack } from '../e2e/pod-network.ts'
import { checkout, run, Stack } from '../e2e/stack.ts'
import type { CommandResult } from '../e2e/stack.ts'
import { givenAddress } from './options.ts'

export interface AttackedHost {
  client: ContainerdClient
  /** On the host, seen by containerd at the same path: FIFOs, canaries. */
  directory: string
  title: string
  /** The private stack, for cases that change containerd's or the shim's configuration; undefined for a given containerd. */
  stack?: Stack
  ctr: (args: readonly string[]) => Promise<CommandResult>
  /** Runs a shell script on the host, where containerd sees its mounts. Throws when it fails. */
  shell: (script: string) => string
  /** Brings an OCI archive into the image store, unpacked. */
  import: (archive: string) => Promise<void>
  close: () => void
}

export async function openHost(): Promise<AttackedHost> {
  const address = givenAddress()
  return address === undefined ? openStack() : await openGiven(address)
}

function openStack(): AttackedHost {
  const stack = Stack.open('2.1')
  const ctr: AttackedHost['ctr'] = (args) => stack.ctr(args)
  const shell = (script: string): string => inStack(stack, ['sh', '-euc', script])
  return { stack, client: stack.client, directory: stack.directory, title: 'private containerd 2.1', ctr, shell, import: importer(ctr), close: () => stack.client.close() }
}

/** A namespace of containerd's own keeps the suite's containers and its only image apart from the node's. */
const namespace = 'kata-ts-isolation'

async function openGiven(address: string): Promise<AttackedHost> {
  const directory = mkdtempSync('/tmp/kata-ts-isolation-')
  const client = new ContainerdClient(address, namespace)
  const ctr: AttackedHost['ctr'] = (args) => run('ctr', ['--address', address, '--namespace', namespace, ...args])
  const host: AttackedHost = {
    client, directory, title: `containerd at ${address}`, ctr,
    shell: (script) => execFileSync('sh', ['-euc', script], { encoding: 'utf8' }),
    import: importer(ctr),
    close: () => {
      client.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
  await host.import(busyboxArchive())
  return host
}

function importer(ctr: AttackedHost['ctr']): AttackedHost['import'] {
  return async (archive) => {
    const { code, stderr } = await ctr(['images', 'import', archive])
    if (code !== 0) throw new Error(`ctr images import ${archive}: exit ${code}: ${stderr}`)
  }
}

/** The image that hack/stack imports into its own containerd, from a statically linked busybox of the host. */
function busyboxArchive(): string {
  const archive = `${checkout}/build/test/busybox.tar`
  if (!existsSync(archive)) {
    mkdirSync(`${checkout}/build/test`, { recursive: true })
    const busybox = execFileSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim()
    execFileSync(`${checkout}/node_modules/.bin/tsx`, [`${checkout}/hack/images/busybox.ts`, busybox, archive])
  }
  return archive
}

/** What identifies the host's kernel while it runs: a container that reads the same has no kernel of its own. */
export const hostBootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
