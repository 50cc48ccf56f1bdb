import { replaceText } from '../../native/ts/file.ts'

/** Whoever waits for the file finds the whole number in it: it is written beside and renamed. */
export function writePidFile(path: string, pid: number): void {
  replaceText(path, `${pid}`, 0o644)
}
