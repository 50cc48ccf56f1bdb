import { Fault } from '../../native/ts/fault.ts'
import { exists, readText, writeKernelFile } from '../../native/ts/file.ts'

const directory = '/sys/devices/system/cpu'

/**
 * Makes the first `count` CPUs of the machine the ones that are online (Documentation/core-api/cpu_hotplug.rst).
 * CPU 0 cannot go. Throws Fault when the machine has fewer, SysError when one does not come or go.
 */
export function setOnlineCpus(count: number): void {
  if (count < 1) throw new Fault(`${count} CPUs: one has to stay`)
  if (count > 1 && !exists(`${directory}/cpu${count - 1}`)) throw new Fault(`${count} CPUs were asked for, and the machine has room for ${readText(`${directory}/present`).trim()}`)
  for (let cpu = 1; exists(`${directory}/cpu${cpu}`); cpu++) {
    const file = `${directory}/cpu${cpu}/online`
    const wanted = cpu < count ? '1' : '0'
    if (readText(file).trim() !== wanted) writeKernelFile(file, wanted)
  }
}
