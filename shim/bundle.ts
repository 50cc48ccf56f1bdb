import { isErrno, E } from '../native/ts/errno.ts'
import { Fault } from '../native/ts/fault.ts'
import { readText } from '../native/ts/file.ts'
import { isIdentifier } from './flags.ts'

/** Set by containerd's CRI plugin, and by cri-o under its own name, on every container of a pod. */
const sandboxIdAnnotations = ['io.kubernetes.cri.sandbox-id', 'io.kubernetes.cri-o.SandboxID'] as const

/** config.json of a bundle, parsed but not validated: what containerd wrote is checked where it is used. */
export interface Bundle {
  path: string
  config: Record<string, unknown>
  annotations: Record<string, string>
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Reads `<path>/config.json`. Throws Fault with the cause in words. */
export function readBundle(path: string): Bundle {
  const file = `${path}/config.json`
  let config: unknown
  try {
    config = JSON.parse(readText(file))
  } catch (cause) {
    if (isErrno(cause, E.ENOENT)) throw new Fault(`${file} is missing`, { cause, fix: 'the bundle must hold an OCI runtime config.json' })
    throw new Fault(cause instanceof SyntaxError ? `${file} is not valid JSON: ${cause.message}` : `cannot read ${file}`, { cause })
  }
  if (!isObject(config)) throw new Fault(`${file} does not hold a JSON object`, { fix: 'the bundle must hold an OCI runtime config.json' })
  const annotations: Record<string, string> = {}
  if (isObject(config.annotations)) {
    for (const [name, value] of Object.entries(config.annotations)) if (typeof value === 'string') annotations[name] = value
  }
  return { path, config, annotations }
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
