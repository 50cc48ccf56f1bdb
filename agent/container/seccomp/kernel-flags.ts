import * as sys from 'native:sys'
import { SECCOMP_FILTER_FLAG_NEW_LISTENER } from '../../../native/ts/constants/prctl.ts'
import { E } from '../../../native/ts/errno.ts'
import { type SeccompFlag, seccompFlags } from '../../../protocol/oci/seccomp.ts'
import { filterFlags } from './compile.ts'

/** x86_64's number (arch/x86/entry/syscalls/syscall_64.tbl) and operation (include/uapi/linux/seccomp.h). */
const SYS_seccomp = 317
const SECCOMP_SET_MODE_FILTER = 1

/**
 * The flags that this kernel takes (seccomp(2)): one that it knows gets as far as the filter, which is none (EFAULT). To
 * wait killably is taken with a listener alone.
 */
export function flagsOfKernel(): SeccompFlag[] {
  return seccompFlags.filter(name => {
    const more = name === 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV' ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0
    return sys.syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filterFlags[name] | more, null) === -E.EFAULT
  })
}
