/** Evidence is one line: control characters of what an attacker printed do not reach a terminal or a report. */
export function oneLine(text: string, limit = 320): string {
  const flat = text.replace(/[\x00-\x1f\x7f]+/g, ' ').trim()
  return flat.length <= limit ? flat : `${flat.slice(0, limit - 1)}…`
}
