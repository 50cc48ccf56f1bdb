//! Processes: seccomp

use super::result;
use crate::js::{Buffer, Failure, Outcome};
use crate::sys_functions;

/// struct sock_filter is 8 bytes, BPF_MAXINSNS 4096 (include/uapi/linux/filter.h, bpf_common.h).
const INSTRUCTION_BYTES: usize = 8;
const MAX_INSTRUCTIONS: usize = 4096;
const _: () = assert!(size_of::<libc::sock_filter>() == INSTRUCTION_BYTES);

sys_functions! {
    /// seccomp(SECCOMP_SET_MODE_FILTER) with `program` an array of struct sock_filter, 8 bytes each. Gives the listener fd with SECCOMP_FILTER_FLAG_NEW_LISTENER.
    fn seccomp_set_mode_filter as "seccompSetModeFilter"(program: Buffer, flags: u32) -> Outcome {
        let count = program.len() / INSTRUCTION_BYTES;
        if !program.len().is_multiple_of(INSTRUCTION_BYTES) || count == 0 || count > MAX_INSTRUCTIONS {
            return Err(Failure::Errno(libc::EINVAL));
        }
        // A copy that is aligned: a Uint8Array may start anywhere.
        let filter: Vec<libc::sock_filter> = program
            .chunks_exact(INSTRUCTION_BYTES)
            .map(|word| libc::sock_filter {
                code: u16::from_ne_bytes([word[0], word[1]]),
                jt: word[2],
                jf: word[3],
                k: u32::from_ne_bytes([word[4], word[5], word[6], word[7]]),
            })
            .collect();
        let header = libc::sock_fprog { len: count as u16, filter: filter.as_ptr().cast_mut() };
        // SAFETY: header and filter are alive for the call.
        result(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const header) })
    }
}
