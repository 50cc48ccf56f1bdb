import { Fault } from '../../native/ts/fault.ts'
import { nearest } from '../config/nearest.ts'
import { annotatable, type Config, type Key, schema, tomlName } from '../config/schema.ts'

/** `io.kata-ts.config.hypervisor.memory_mib` sets `hypervisor.memory_mib` for one sandbox. */
const prefix = 'io.kata-ts.config.'

/**
 * `config` with what the annotations of a sandbox change. Each key must be one that a pod author could be trusted with
 * at all (schema.ts, `annotatable`) and one that the operator allows (`annotations.enable`); its value is read as strictly as in the file.
 * @returns the names that were set, too: an explicit size stands over a computed one
 * @throws Fault for an annotation that is not allowed: the pod would quietly be another than its author thinks
 */
export function withAnnotations(config: Config, annotations: Readonly<Record<string, string>>): { config: Config; set: string[] } {
  let changed = config
  const set: string[] = []
  for (const [name, text] of Object.entries(annotations)) {
    if (!name.startsWith(prefix)) continue
    const key = name.slice(prefix.length)
    requireAllowed(name, key, config.annotations.enable)
    changed = withKey(changed, name, key, text)
    set.push(key)
  }
  return { config: changed, set }
}

function requireAllowed(name: string, key: string, enabled: readonly string[]): void {
  if (!annotatable.some(known => known === key)) {
    const near = nearest(key, [...annotatable])
    throw new Fault(`annotation ${name}: ${key} cannot be set by an annotation`, {
      fix: near === undefined ? `those that can be are ${annotatable.join(', ')}` : `did you mean ${prefix}${near}?`,
    })
  }
  if (enabled.includes(key)) return
  throw new Fault(`annotation ${name} is not allowed on this node`, {
    fix: `remove it, or have the operator add "${key}" to annotations.enable in the configuration of kata-ts`,
  })
}

function withKey(config: Config, annotation: string, name: string, text: string): Config {
  const [section = '', tomlKey = ''] = name.split('.')
  const keys = schema[section as keyof typeof schema] // `annotatable` names keys of the schema only (annotations.spec.ts)
  for (const [key, entry] of Object.entries(keys) as [string, Key<unknown>][]) { // Object.entries forgets what the values are
    if (tomlName(key) !== tomlKey) continue
    const value = entry.read(valueOf(text))
    if (value === undefined) throw new Fault(`annotation ${annotation}: ${JSON.stringify(text.slice(0, 80))} is not allowed`, { fix: `it must be ${entry.allowed}` })
    return { ...config, [section]: { ...config[section as keyof Config], [key]: value } }
  }
  throw new Fault(`annotation ${annotation}: there is no key ${name}`)
}

/** Annotations are text: a number or a truth value is read as one, everything else stays text. */
function valueOf(text: string): unknown {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  return text === 'true' ? true : text === 'false' ? false : text
}
