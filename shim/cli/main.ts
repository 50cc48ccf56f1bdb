/** `kata-ts`: the OCI runtime command line over the container library, on the host and without a virtual machine. */
import * as sys from 'native:sys'
import { runFromReadonlyMount } from './own-program.ts'

// Before anything else is loaded, since all of it is loaded again; an id of this name costs a millisecond.
if (sys.argv().some(word => word === 'create' || word === 'run' || word === 'exec')) runFromReadonlyMount()

const { commandLine } = await import('./command-line.ts')
sys.exit(await commandLine(sys.argv().slice(1)))
