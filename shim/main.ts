import * as sys from 'native:sys'
import { story } from '../native/ts/fault.ts'
import { parseFlags } from './flags.ts'
import { writeStderr, writeStdout } from './standard-streams.ts'
import { Timeline } from './timeline.ts'
import { shimName, version } from './version.ts'

// Each action's code is read only when it is asked for: `-v` and `-info` need next to none.
const timeline = new Timeline()
try {
  const flags = parseFlags(sys.argv().slice(1))
  switch (flags.action) {
    case 'version':
      writeStdout(sys.utf8Encode(`${shimName} ${version}\n`))
      break
    case 'info':
      (await import('./info.ts')).info()
      break
    case 'start':
      (await import('./start.ts')).start(flags, timeline)
      break
    case 'delete':
      await (await import('./delete.ts')).remove(flags)
      break
  }
} catch (error) {
  // One line on stderr, and status 1: containerd shows both to its client.
  writeStderr(`${shimName}: ${story(error)}`)
  sys.exit(1)
}
