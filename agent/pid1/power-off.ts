import * as sys from 'native:sys'
import { LINUX_REBOOT_CMD_POWER_OFF } from '../../native/ts/constants/reboot.ts'
import { printLine } from '../log.ts'

/** Ends the VM: what is dirty is written, then the power is cut. The reason stands on the console. */
export function powerOff(reason: string): never {
  printLine(`powering off: ${reason}`)
  sys.sync()
  const result = sys.reboot(LINUX_REBOOT_CMD_POWER_OFF)
  // Only without CAP_SYS_BOOT does reboot(2) come back; PID 1's end makes the kernel panic, which ends the VM too.
  printLine(`reboot: errno ${-result}`)
  return sys.exit(1)
}
