import { isErrno, E } from '../native/ts/errno.ts'
import { Fault } from '../native/ts/fault.ts'
import { exists, readText } from '../native/ts/file.ts'
import { parseSpec } from '../protocol/oci/parse.ts'
import type { Spec } from '../protocol/oci/spec.ts'
import { isIdentifier } from './flags.ts'

/** Set by containerd's CRI plugin, and by cri-o under its own name, on every container of a pod. */
const sandboxIdAnnotations = ['io.kubernetes.cri.sandbox-id', 'io.kubernetes.cri-o.SandboxID'] as const

/** What a container is to its pod: `sandbox` or `container`. Set by the same two. */
const containerTypeAnnotations = ['io.kubernetes.cri.container-type', 'io.kubernetes.cri-o.ContainerType'] as const

export interface Bundle {
  path: string
  spec: Spec
  annotations: Record<string, string>
}

/** Whether the bundle is a pod's pause container: the one that holds namespaces where a kernel is shared, and here stands for the VM. */
export function isPauseBundle({ annotations }: Bundle): boolean {
  return containerTypeAnnotations.some(name => annotations[name] === 'sandbox')
}

/**
 * Whether the bundle is a sandbox's, which CreateSandbox is going to describe: containerd's sandbox controller "shim" keeps its bundles below
 * a directory of its own name, and writes no config.json for CRI's pods (containerd, plugins/sandbox/controller.go). Elsewhere one
 * that is missing is a mistake.
 */
export function isSandboxBundle(path: string): boolean {
  return path.includes('/io.containerd.sandbox.controller.v1.shim/') && !exists(`${path}/config.json`)
}

/** Reads and checks `<path>/config.json`. Throws Fault or SpecError that names the file and each wrong field. */
export function readBundle(path: string): Bundle {
  const file = `${path}/config.json`
  let text: string
  try {
    text = readText(file)
  } catch (cause) {
    if (!isErrno(cause, E.ENOENT)) throw cause
    throw new Fault(`${file} is missing`, { cause, fix: 'the bundle must hold an OCI runtime config.json' })
  }
  const spec = parseSpec(text)
  return { path, spec, annotations: spec.annotations ?? {} }
}

/** The sandbox that a container belongs to: the one its annotations name, otherwise its own. Throws Fault for a name that is no identifier. */
export function sandboxIdOf(bundle: Bundle, containerId: string): string {
  for (const name of sandboxIdAnnotations) {
    const id = bundle.annotations[name]
    if (id === undefined || id === '') continue
    if (!isIdentifier(id)) throw new Fault(`annotation ${name}: ${JSON.stringify(id)} is not an identifier`)
    return id
  }
  return containerId
}
