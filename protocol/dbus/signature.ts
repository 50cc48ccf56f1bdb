/** D-Bus signatures (D-Bus Specification, "Type System"): one letter a basic type, `a` before an element, structs in parentheses. */

/** Deeper than any answer of systemd's; the specification allows 64. */
export const depthMax = 16

/** Where a value of each type begins: on a multiple of this many bytes ("Marshalling"). */
export function alignmentOf(type: string): number {
  const alignment = { y: 1, g: 1, v: 1, n: 2, q: 2, b: 4, i: 4, u: 4, h: 4, s: 4, o: 4, a: 4, x: 8, t: 8, d: 8, '(': 8, '{': 8 }[type.charAt(0)]
  if (alignment === undefined) throw new TypeError(`D-Bus has no type ${JSON.stringify(type)}`)
  return alignment
}

/** The complete types that a signature is a row of: `sa(sv)u` is `s`, `a(sv)`, `u`. */
export function typesOf(signature: string): string[] {
  const types: string[] = []
  for (let at = 0; at < signature.length;) {
    const end = endOfType(signature, at, 0)
    types.push(signature.slice(at, end))
    at = end
  }
  return types
}

function endOfType(signature: string, start: number, depth: number): number {
  if (depth > depthMax) throw new TypeError(`D-Bus signature ${JSON.stringify(signature)} is nested too deep`)
  const first = signature.charAt(start)
  alignmentOf(first)
  if (first === 'a') return endOfType(signature, start + 1, depth + 1)
  const closing = { '(': ')', '{': '}' }[first]
  if (closing === undefined) return start + 1
  // A struct of nothing has no bytes: a list of them would have no end.
  if (signature.charAt(start + 1) === closing) throw new TypeError(`D-Bus signature ${JSON.stringify(signature)} has an empty struct`)
  let at = start + 1
  while (signature.charAt(at) !== closing) {
    if (at >= signature.length) throw new TypeError(`D-Bus signature ${JSON.stringify(signature)} lacks a ${closing}`)
    at = endOfType(signature, at, depth + 1)
  }
  return at + 1
}
