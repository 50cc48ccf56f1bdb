/** Prints the TSC's frequency in kHz, which a guest under TCG must be told. */
import * as sys from 'native:sys'

const line = sys.utf8Encode(`${sys.tscKhz()}\n`)
sys.write(1, line, 0, line.length)
