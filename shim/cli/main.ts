/** `kata-ts`: the OCI runtime command line over the container library, on the host and without a virtual machine. */
import * as sys from 'native:sys'
import { commandLine } from './command-line.ts'

sys.exit(await commandLine(sys.argv().slice(1)))
