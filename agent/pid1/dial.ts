import { monotonicMs, sleep } from '../../native/ts/clock.ts'
import { VMADDR_CID_HOST } from '../../native/ts/constants/socket.ts'
import { story } from '../../native/ts/fault.ts'
import type { Fd } from '../../native/ts/fd.ts'
import { connectVsock } from '../../native/ts/socket.ts'
import { printLine } from '../log.ts'

const retryMs = 3
const complainEveryMs = 5_000

/** A connection to the host's control port; tries until there is one. The shim bounds the time by its own limit. */
export async function dialHost(port: number): Promise<Fd> {
  let lastComplaintMs = monotonicMs()
  for (;;) {
    try {
      return await connectVsock(VMADDR_CID_HOST, port)
    } catch (error) {
      if (monotonicMs() - lastComplaintMs > complainEveryMs) {
        lastComplaintMs = monotonicMs()
        printLine(`still dialling the host: ${story(error)}`)
      }
      await sleep(retryMs)
    }
  }
}
