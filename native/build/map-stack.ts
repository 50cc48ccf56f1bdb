/**
 * Maps a stack trace of a binary to TypeScript positions: trace on stdin, mapped trace on stdout.
 *
 *   npx tsx native/build/map-stack.ts build/maps/agent.js.map < trace
 */
import { readFileSync } from 'node:fs'
import { SourceMap } from './source-map.ts'

const [path] = process.argv.slice(2)
if (path === undefined) throw new Error('usage: map-stack.ts MAP < trace')
process.stdout.write(new SourceMap(path).mapStack(readFileSync(0, 'utf8')))
