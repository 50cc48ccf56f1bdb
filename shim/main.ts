import * as sys from 'native:sys'
import { story } from '../native/ts/fault.ts'
import { remove } from './delete.ts'
import { parseFlags } from './flags.ts'
import { info } from './info.ts'
import { writeStderr, writeStdout } from './standard-streams.ts'
import { start } from './start.ts'
import { Timeline } from './timeline.ts'
import { shimName, version } from './version.ts'

/** One line on stderr, and status 1: containerd shows both to its client. */
function fail(error: unknown): void {
  writeStderr(`${shimName}: ${story(error)}`)
  sys.exit(1)
}

const timeline = new Timeline()
try {
  const flags = parseFlags(sys.argv().slice(1))
  switch (flags.action) {
    case 'version':
      writeStdout(sys.utf8Encode(`${shimName} ${version}\n`))
      break
    case 'info':
      info()
      break
    case 'start':
      start(flags, timeline)
      break
    case 'delete':
      remove(flags).catch(fail)
      break
  }
} catch (error) {
  fail(error)
}
