//! Processes: waiting, signals, ids

use super::{result, retry};
use crate::engine;
use crate::js::{Failure, Outcome, Text, Word};
use crate::{js_output, sys_functions};

js_output! {
    struct WaitStatus {
        pid as "pid": i32,
        /// CLD_EXITED 1, CLD_KILLED 2, CLD_DUMPED 3, CLD_STOPPED 5, CLD_CONTINUED 6 (siginfo.h).
        code as "code": i32,
        /// Exit status, or the signal's number.
        status as "status": i32,
        uid as "uid": u32,
    }
}

sys_functions! {
    fn argv as "argv"() -> Vec<String> {
        engine::arguments()
    }

    fn environ as "environ"() -> Vec<String> {
        engine::environment()
    }

    /// waitid(2). null: WNOHANG and nothing to report.
    fn waitid as "waitid"(id_type: u32, id: u32, options: i32) -> Outcome<Option<WaitStatus>> {
        // SAFETY: an all-zero siginfo is valid; the kernel leaves si_pid 0 when there is nothing to report.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes one siginfo.
        retry(|| unsafe {
            libc::syscall(libc::SYS_waitid, id_type, id, &raw mut info, options, std::ptr::null_mut::<libc::rusage>())
        })?;
        // SAFETY: waitid fills the SIGCHLD members.
        let (pid, status, uid) = unsafe { (info.si_pid(), info.si_status(), info.si_uid()) };
        Ok((pid != 0).then_some(WaitStatus { pid, code: info.si_code, status, uid }))
    }

    fn kill as "kill"(pid: i32, signal: i32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::kill(pid, signal) }.into())
    }

    fn pidfd_open as "pidfdOpen"(pid: i32, flags: u32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) })
    }

    fn pidfd_send_signal as "pidfdSendSignal"(pidfd: i32, signal: i32) -> Outcome {
        // SAFETY: no siginfo is given.
        result(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, 0usize, 0) })
    }

    fn pidfd_getfd as "pidfdGetfd"(pidfd: i32, target_fd: i32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd, target_fd, 0) })
    }

    fn getpid as "getpid"() -> Outcome {
        // SAFETY: takes nothing. The system call, because the pid is another in a child.
        result(unsafe { libc::syscall(libc::SYS_getpid) })
    }

    fn getppid as "getppid"() -> Outcome {
        // SAFETY: takes nothing.
        result(unsafe { libc::syscall(libc::SYS_getppid) })
    }

    fn setsid as "setsid"() -> Outcome {
        // SAFETY: takes nothing.
        result(unsafe { libc::setsid() }.into())
    }

    fn setpgid as "setpgid"(pid: i32, pgid: i32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::setpgid(pid, pgid) }.into())
    }

    fn prctl as "prctl"(option: i32, arg2: i64, arg3: i64, arg4: i64, arg5: i64) -> Outcome {
        // SAFETY: options with integer arguments only; the program's constants name no others.
        result(unsafe { libc::syscall(libc::SYS_prctl, option, arg2, arg3, arg4, arg5) })
    }

    fn personality as "personality"(persona: u32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::syscall(libc::SYS_personality, u64::from(persona)) })
    }

    fn sethostname as "sethostname"(name: Text) -> Outcome {
        let name = name.as_bytes();
        // SAFETY: pointer and length are of one slice.
        result(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) }.into())
    }

    fn setdomainname as "setdomainname"(name: Text) -> Outcome {
        let name = name.as_bytes();
        // SAFETY: pointer and length are of one slice.
        result(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) }.into())
    }

    /// keyctl(KEYCTL_JOIN_SESSION_KEYRING); null: an anonymous keyring.
    fn keyctl_join_session as "keyctlJoinSession"(name: Option<Text>) -> Outcome {
        const KEYCTL_JOIN_SESSION_KEYRING: i32 = 1; // include/uapi/linux/keyctl.h
        let name = name.as_ref().map(Text::checked).transpose()?;
        let pointer = name.map_or(std::ptr::null(), std::ffi::CStr::as_ptr);
        // SAFETY: the name is NUL-ended or NULL.
        result(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, pointer) })
    }

    fn reboot as "reboot"(command: i32) -> Outcome {
        // SAFETY: takes no pointers. libc adds the magic numbers.
        result(unsafe { libc::reboot(command) }.into())
    }

    /// Any other system call, by number; strings are passed as NUL-ended pointers, Uint8Arrays as pointers, bigint and number as words.
    /// @signature (number: number, ...args: (number | bigint | string | Uint8Array | null)[]): number
    fn syscall as "syscall"(number: i64, a: Word, b: Word, c: Word, d: Word, e: Word, f: Word) -> Outcome {
        if number < 0 {
            return Err(Failure::Argument("a system call's number"));
        }
        // SAFETY: whoever calls by number vouches for the arguments; buffers are alive for the call.
        result(unsafe {
            libc::syscall(number, a.as_raw(), b.as_raw(), c.as_raw(), d.as_raw(), e.as_raw(), f.as_raw())
        })
    }
}
