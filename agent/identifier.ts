import { invalid } from './refusal.ts'

/** Longer than any client's (containerd allows 76), and short enough for a file name with a suffix. */
const maxCharacters = 128

/**
 * Refuses (InvalidArgument) what is no id of a container or exec. Ids become names of cgroups and directories: no
 * slash, no `..`, nothing that is not printable.
 */
export function requireIdentifier(kind: string, id: string): void {
  if (id.length <= maxCharacters && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id) && !id.includes('..')) return
  throw invalid(`${kind} id ${JSON.stringify(id.slice(0, maxCharacters))} is not made of 1 to ${maxCharacters} letters, digits, '.', '_' and '-'`)
}
