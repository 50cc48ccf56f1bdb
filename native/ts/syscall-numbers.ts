/** Name → number plus `base` of a table of constants/syscalls.ts. Reading one takes a while: keep what comes of it. Pure. */
export function numbersIn(table: string, base = 0): Map<string, number> {
  const numbers = new Map<string, number>()
  let next = 0
  for (const word of table.split(/\s+/)) {
    if (word === '') continue
    if (word.startsWith('@')) next = Number(word.slice(1))
    else numbers.set(word, base + next++)
  }
  return numbers
}
