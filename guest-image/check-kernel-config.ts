// tsx guest-image/check-kernel-config.ts CONFIG FRAGMENT…: fails, naming each, when a request of a fragment is not met.
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { parseConfig, parseFragment, unmetRequests } from './kernel-config.ts'

const [configPath, ...fragmentPaths] = process.argv.slice(2)
if (configPath === undefined || fragmentPaths.length === 0) {
  throw new Error('usage: check-kernel-config.ts CONFIG FRAGMENT…')
}

const requests = fragmentPaths.flatMap((path) => parseFragment(basename(path), readFileSync(path, 'utf8')))
const problems = unmetRequests(requests, parseConfig(readFileSync(configPath, 'utf8')))
if (problems.length > 0) {
  console.error(problems.join('\n'))
  process.exit(1)
}
