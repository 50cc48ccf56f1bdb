/** As Docker's command line writes sizes (go-units): powers of 1024, whatever the case and with or without `i` and `b`. */
const powers: Readonly<Record<string, number>> = { '': 0, 'k': 1, 'm': 2, 'g': 3, 't': 4, 'p': 5 }

/** `64M`, `1.5g`, `100KiB`, `4096`; -1: no limit. undefined for anything else. */
export function bytesOf(text: string): number | undefined {
  if (text === '-1') return -1
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])(?:i?b)?|b)?$/i.exec(text) ?? []
  return number === undefined ? undefined : Math.floor(Number(number) * 1024 ** (powers[unit.toLowerCase()] ?? 0))
}
