/**
 * Runs the QEMU driver without containerd, on the engine: launch, agent's call, a connection to the guest, stop.
 * Arguments: state directory, kernel, initrd, key=value … of the configuration (`hypervisor.machine=q35`).
 * Must run in a mount namespace of its own. Prints one line a step; status 1 and the diagnosis on failure.
 */
import * as sys from 'native:sys'
import { monotonicMs } from '../../../native/ts/clock.ts'
import { story } from '../../../native/ts/fault.ts'
import { makeDirectories } from '../../../native/ts/file.ts'
import { configFrom } from '../../../shim/config/config.ts'
import { createHypervisor } from '../../../shim/hypervisor/create.ts'
import { Journal } from '../../../shim/journal.ts'
import { createLog } from '../../../shim/log.ts'
import { Share } from '../../../shim/storage/share.ts'
import { Timeline } from '../../../shim/timeline.ts'

const [stateDir = '', kernel = '', initrd = '', ...rest] = sys.argv().slice(1)
const settings = rest.filter(word => word.includes('.') && word.includes('='))
/** `hold`: once the agent dialled, waits for the VM's end and tells why. `connect`: tries guest port 1025, where the trial guest does not listen. */
const [hold, dial] = [rest.includes('hold'), rest.includes('connect')]
const sections = new Map<string, string[]>([['guest', [`kernel = "${kernel}"`, `initrd = "${initrd}"`]]])
for (const setting of settings) {
  const [, section = '', key = '', value = ''] = /^(\w+)\.(\w+)=(.*)$/.exec(setting) ?? []
  const text = /^(\d+|true|false)$/.test(value) ? value : JSON.stringify(value)
  sections.set(section, [...sections.get(section) ?? [], `${key} = ${text}`])
}
const config = configFrom([{ path: 'arguments', text: [...sections].map(([name, keys]) => `[${name}]\n${keys.join('\n')}\n`).join('') }])
const say = (text: string) => { const line = sys.utf8Encode(`${text}\n`); sys.write(1, line, 0, line.length) }

makeDirectories(stateDir, 0o700)
const log = createLog({ fd: 2, level: config.log.level })
const timeline = new Timeline()
const share = Share.open(stateDir)
using journal = new Journal(stateDir)
const hypervisor = createHypervisor(config, { id: 'trial', stateDir, shareDir: share.dir, journal, log, timeline })
try {
  await hypervisor.launch()
  say(`launched ${hypervisor.pid}`)
  const control = await hypervisor.acceptAgent(config.agent.timeoutMs)
  timeline.mark('agent')
  say('agent dialled')
  if (dial) say(await hypervisor.connect(1025).then(() => 'connected', (error: unknown) => `refused: ${story(error)}`))
  if (hold) {
    // After launch: virtiofsd, in a mount namespace of its own, has to see it all the same.
    say(`shared ${share.addBind('late', '/etc', { readonly: true, recursive: true })}`)
    const exit = await hypervisor.wait()
    say(`ended: ${exit.text}`)
    say(`diagnosis: ${hypervisor.diagnosis()}`)
  }
  control.close()
  timeline.report(log)
} catch (error) {
  say(`failed: ${story(error)}`)
}
const before = timeline.phases()
const stopMs = monotonicMs()
await hypervisor.stop()
const closeMs = monotonicMs()
share.close()
say(`stopped ${JSON.stringify({ ...before, stopMs: closeMs - stopMs, closeMs: monotonicMs() - closeMs })}`)
sys.exit(0)
