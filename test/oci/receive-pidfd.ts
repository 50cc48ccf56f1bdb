/** Runs on the engine, as Node cannot receive descriptors: `receive-pidfd SOCKET`: accepts one descriptor and prints the message that came with it, and which process it is of. */
import * as sys from 'native:sys'
import { readText } from '../../native/ts/file.ts'
import { receiveDescriptor } from './receive-descriptor.ts'

const { fd, message } = receiveDescriptor(sys.argv()[1] ?? '')
const pid = /^Pid:\s*(\d+)$/m.exec(readText(`/proc/self/fdinfo/${fd}`))?.[1] ?? 'none'
const line = sys.utf8Encode(`${message} ${pid}\n`)
sys.write(1, line, 0, line.length)
