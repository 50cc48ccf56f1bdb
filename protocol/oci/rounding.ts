/**
 * JSON.parse makes doubles of numbers, which above 2^53 are rounded. For limits that does not matter: the large ones all
 * mean "none". In a system call filter it would compare with another number than the profile says, so it is refused.
 */

/** Values that mean all bits, and numbers that JSON.stringify wrote of a double: what they are read as is what is meant. */
function isMeant(token: string): boolean {
  const read = Number(token)
  return token === '18446744073709551615' || token === String(read) || BigInt(token) === BigInt(read)
}

/** The numbers of seccomp arguments in `json` that would be read as others. Found in the text: the parsed document has lost them. */
export function roundedArguments(json: string): string[] {
  const rounded: string[] = []
  // A key inside a string would have a backslash before its second quote. indexOf, because to run a regular expression
  // over the whole of a profile takes QuickJS longer than to parse it.
  const argument = /"value(?:Two)?"\s*:\s*(\d{16,20})(?![\d.eE])/y
  for (let at = json.indexOf('"value'); at >= 0; at = json.indexOf('"value', at + 1)) {
    argument.lastIndex = at
    const token = argument.exec(json)?.[1]
    if (token !== undefined && !isMeant(token)) rounded.push(token)
  }
  return rounded
}
