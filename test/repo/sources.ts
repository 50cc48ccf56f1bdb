/** The repository's own TypeScript, as its tests look at it. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

export const top = new URL('../..', import.meta.url).pathname

export interface Source {
  path: string
  text: string
  /** Repository paths or package names that the file imports, types included. */
  imports: string[]
}

/** Every .ts file that git tracks or would track. */
export function sources(): Source[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], { cwd: top, encoding: 'utf8' })
  return listed.split('\n').filter(Boolean).flatMap(path => {
    try {
      const text = readFileSync(join(top, path), 'utf8')
      return [{ path, text, imports: importsOf(path, text) }]
    } catch {
      return [] // listed, but removed in the working tree
    }
  })
}

function importsOf(path: string, text: string): string[] {
  const found = text.matchAll(/^\s*(?:import|export)\b[^'"`]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm)
  return [...found].map(match => match[1] ?? match[2] ?? match[3] ?? '').map(name => (name.startsWith('.') ? normalize(join(dirname(path), name)) : name))
}
