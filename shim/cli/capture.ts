import { spawn } from '../../native/ts/child.ts'
import { Fault } from '../../native/ts/fault.ts'
import { pipe } from '../../native/ts/fd.ts'
import * as sys from 'native:sys'

/** As much of a program's output as is kept. */
const maxBytes = 16 * 1024 * 1024

/** Runs a program of the host to its end and gives what it printed; its stderr is ours. Throws Fault when it fails. */
export async function capture(path: string, argv: string[]): Promise<string> {
  const { reader, writer } = pipe(path)
  using output = reader
  const started = () => {
    using end = writer
    return spawn({ path, argv, env: sys.environ(), stdio: ['null', end.number, 2] })
  }
  const child = started()
  let text = ''
  const buffer = new Uint8Array(64 * 1024)
  for (;;) {
    const got = sys.read(output.number, buffer, 0, buffer.length)
    if (got <= 0 || text.length > maxBytes) break
    text += sys.utf8Decode(buffer, 0, got)
  }
  const { status } = await child.wait()
  if (status !== 0) throw new Fault(`${argv.join(' ')}: exit status ${status}`)
  return text
}
