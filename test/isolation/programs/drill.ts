/**
 * On the engine, because it enters namespaces and forks: what each process below the shim with the given pid could see and do if it was taken over.
 * Prints one JSON array. The same looking as that of `kata-ts attest`.
 */
import * as sys from 'native:sys'
import { sandboxProcesses, viewProcess } from '../../../shim/cli/attest/process-view.ts'

const shim = Number(sys.argv()[1])
const views = sandboxProcesses(shim).map(({ pid, role }) => ({ role, ...viewProcess(pid, shim) }))
const text = sys.utf8Encode(`${JSON.stringify(views)}\n`)
for (let sent = 0; sent < text.length;) {
  const wrote = sys.write(1, text, sent, text.length - sent)
  if (wrote < 0) sys.exit(1)
  sent += wrote
}
sys.exit(0)
