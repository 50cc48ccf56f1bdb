import { AT_FDCWD } from '../../../native/ts/constants/fcntl.ts'
import * as sys from 'native:sys'
import { print, text } from './harness.ts'

/** What a process weighs that only waits. */
const status = text(sys.readFile(AT_FDCWD, '/proc/self/status', 100_000))
print(`${['VmRSS', 'RssAnon', 'RssFile'].map(name => new RegExp(`${name}:\\s+(\\d+ kB)`).exec(status)?.slice(0, 1)[0]?.replace(/\s+/g, ' ')).join(', ')}\n`)
