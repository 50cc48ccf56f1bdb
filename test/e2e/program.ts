import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { checkout } from './stack.ts'

/** Builds test/e2e/programs/NAME.ts for the engine, as a binary that runs in a container as it is; gives its path. */
export function buildProgram(name: string): string {
  const program = `${checkout}/build/test/e2e/${name}`
  mkdirSync(`${checkout}/build/test/e2e`, { recursive: true })
  execFileSync(`${checkout}/hack/build-bin`, ['--bundle', `test/e2e/programs/${name}.ts`, '-o', program], { cwd: checkout, stdio: ['ignore', 'ignore', 'inherit'] })
  return program
}
