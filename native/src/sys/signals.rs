//! Processes: signals

use super::{result, retry};
use crate::js::{Failure, Outcome};
use crate::{js_output, sys_functions};

js_output! {
    struct SignalInfo {
        signal as "signal": u32,
        pid as "pid": u32,
        status as "status": i32,
        code as "code": i32,
    }
}
const _: () = assert!(size_of::<libc::signalfd_siginfo>() == 128);

/// The kernel's signal set: 64 bits. libc's functions would refuse or hide its own real-time signals.
fn set_of(signals: &[u32]) -> Outcome<u64> {
    let mut set = 0;
    for signal in signals {
        if !(1..=64).contains(signal) {
            return Err(Failure::Errno(libc::EINVAL));
        }
        set |= 1u64 << (signal - 1);
    }
    Ok(set)
}

fn change_mask(how: i32, set: u64) -> Outcome {
    // SAFETY: the kernel reads eight bytes.
    result(unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const set, 0usize, size_of::<u64>()) })
}

/// struct kernel_sigaction of x86_64 and aarch64 differ; all members are zero for SIG_DFL.
type KernelAction = [u64; 4];

/// Default dispositions, nothing blocked. Ignored failures: SIGKILL and SIGSTOP cannot be changed and are default.
pub(super) fn reset() {
    let default: KernelAction = [0; 4];
    for signal in 1..=64 {
        // SAFETY: the kernel reads the struct, which is at most 32 bytes.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const default, 0usize, size_of::<u64>()) };
    }
    let _ = change_mask(libc::SIG_SETMASK, 0);
}

sys_functions! {
    /// Blocks the signals and gives a signalfd (non-blocking) for them.
    fn signalfd as "signalfd"(signals: Vec<u32>) -> Outcome {
        let set = set_of(&signals)?;
        change_mask(libc::SIG_BLOCK, set)?;
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: the kernel reads eight bytes.
        result(unsafe { libc::syscall(libc::SYS_signalfd4, -1, &raw const set, size_of::<u64>(), flags) })
    }

    /// Reads one entry; -EAGAIN when there is none.
    fn read_signalfd as "readSignalfd"(fd: i32) -> Outcome<SignalInfo> {
        // SAFETY: an all-zero entry is valid, and written by the kernel.
        let mut entry: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the kernel writes whole entries only.
        retry(|| unsafe { libc::read(fd, (&raw mut entry).cast(), size) } as i64)?;
        Ok(SignalInfo { signal: entry.ssi_signo, pid: entry.ssi_pid, status: entry.ssi_status, code: entry.ssi_code })
    }

    /// Default dispositions, nothing blocked.
    fn reset_signals as "resetSignals"() -> i32 {
        reset();
        0
    }

    fn ignore_signal as "ignoreSignal"(signal: i32) -> Outcome {
        // SAFETY: SIG_IGN is no handler of ours.
        let before = unsafe { libc::signal(signal, libc::SIG_IGN) };
        if before == libc::SIG_ERR { Err(Failure::Errno(libc::EINVAL)) } else { Ok(0) }
    }
}
