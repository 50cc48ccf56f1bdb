/**
 * Writes native/ts/constants/syscalls.ts from a kernel source tree: `npx tsx hack/generate-syscalls.ts KERNEL_TREE`.
 * Run by hand when the guest kernel's version changes; the result is committed, as filters must not need a kernel tree.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const tree = process.argv[2]
if (!tree) throw new Error('usage: npx tsx hack/generate-syscalls.ts KERNEL_TREE')

type Row = { number: number; abi: string; name: string }

const rows = (file: string): Row[] => readFileSync(`${tree}/arch/x86/entry/syscalls/${file}`, 'utf8')
  .split('\n')
  .filter(line => /^\d/.test(line))
  .map(line => line.split(/\s+/))
  .map(([number = '', abi = '', name = '']) => ({ number: Number(number), abi, name }))

/** Names in the order of their numbers; `@n` before a name that does not follow the one before it. */
function pack(list: Row[]): string {
  let next = 0
  const words = [...list].sort((a, b) => a.number - b.number).flatMap(({ number, name }) => {
    const gap = number === next ? [] : [`@${number}`]
    next = number + 1
    return [...gap, name]
  })
  const lines: string[] = []
  for (const word of words) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < 130) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines.join('\n')
}

const amd64 = rows('syscall_64.tbl')
const version = /^VERSION = (\d+)\nPATCHLEVEL = (\d+)/m.exec(readFileSync(`${tree}/Makefile`, 'utf8'))
writeFileSync('native/ts/constants/syscalls.ts', `/**
 * System call names of Linux ${version?.[1]}.${version?.[2]} by number (arch/x86/entry/syscalls/syscall_64.tbl, syscall_32.tbl), written by
 * hack/generate-syscalls.ts: in order, \`@n\` before a name whose number does not follow the one before it.
 */
export const x86_64 = \`
${pack(amd64.filter(({ abi }) => abi !== 'x32'))}\`

/** Without the x32 bit (__X32_SYSCALL_BIT). */
export const x32 = \`
${pack(amd64.filter(({ abi }) => abi !== '64'))}\`

export const i386 = \`
${pack(rows('syscall_32.tbl'))}\`
`)
