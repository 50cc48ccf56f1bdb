/**
 * Maps a stack trace of a binary to TypeScript positions: trace on stdin, mapped trace on stdout.
 *
 *   npx tsx native/build/map-stack.ts build/maps/agent < trace
 */
import { readFileSync } from 'node:fs'
import { SourceMaps } from './source-map.ts'

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: map-stack.ts FOLDER_OF_MAPS < trace')
process.stdout.write(new SourceMaps(folder).mapStack(readFileSync(0, 'utf8')))
