import './start-time.ts'
import * as sys from 'native:sys'
import { story } from '../native/ts/fault.ts'
import { runGuest } from './guest.ts'
import { printLine } from './log.ts'

/** PID 1 of a guest, or a process of the host that serves containers without a VM: there it may be PID 1 of a namespace, and has arguments. */
if (sys.getpid() === 1 && sys.argv()[1] !== '--control-fd') await runGuest()
else {
  const { runHost } = await import('./host.ts')
  await runHost(sys.argv()).catch((error: unknown) => {
    printLine(story(error))
    sys.exit(1)
  })
}
