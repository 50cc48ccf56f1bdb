/** Runs on the engine, as Node cannot receive descriptors: `receive-terminal SOCKET`: accepts one terminal, prints what it says, types what stdin says. */
import * as sys from 'native:sys'
import { setWindowSize } from '../../native/ts/pty.ts'
import { receiveDescriptor } from './receive-descriptor.ts'

const { fd: master } = receiveDescriptor(sys.argv()[1] ?? '')
const buffer = new Uint8Array(4096)
setWindowSize(master, { width: 111, height: 22 })
const input = sys.read(0, buffer, 0, buffer.length)
if (input > 0) sys.write(master, buffer, 0, input)
for (;;) {
  const got = sys.read(master, buffer, 0, buffer.length)
  if (got <= 0) break // EIO: the last slave is closed
  sys.write(1, buffer, 0, got)
}
