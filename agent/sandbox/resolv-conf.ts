import { writeText } from '../../native/ts/file.ts'
import { invalid } from '../refusal.ts'

/** The sandbox's resolver configuration, for containers that mount it. */
export const resolvConfPath = '/run/kata-ts/resolv.conf'

/** Writes resolv.conf(5). Throws Refusal for what would be more than one line. */
export function writeResolvConf(lines: readonly string[]): void {
  for (const line of lines) if (/[\r\n\0]/.test(line)) throw invalid(`${JSON.stringify(line)} is not one line of resolv.conf`)
  writeText(resolvConfPath, lines.map(line => `${line}\n`).join(''), 0o644)
}
