/** Name → number plus `base` of a table of constants/syscalls.ts. Pure. */
export function numbersIn(table: string, base = 0): Map<string, number> {
  const numbers = new Map<string, number>()
  let next = 0
  // By strings: a regular expression takes the engine 0.6 ms for it, and the shim of every pod reads a table while its VM starts.
  for (const word of table.replaceAll('\n', ' ').split(' ')) {
    if (word === '') continue
    if (word.startsWith('@')) next = Number(word.slice(1))
    else numbers.set(word, base + next++)
  }
  return numbers
}
