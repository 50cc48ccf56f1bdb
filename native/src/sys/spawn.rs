//! Processes: fork and execve

use std::ffi::CStr;

use super::{result, signals};
use crate::event_loop;
use crate::js::{Failure, Outcome, Text};
use crate::{js_input, js_output, sys_functions};

js_input! {
    /// Arguments of clone3(2).
    struct Clone3 {
        /// CLONE_* without CLONE_VM; CLONE_PIDFD is always added, CLONE_INTO_CGROUP when `cgroupFd` ≥ 0.
        flags as "flags": i64,
        exit_signal as "exitSignal": i32,
        cgroup_fd as "cgroupFd": Option<i32>,
    }
}

js_output! {
    struct Cloned {
        pid as "pid": i32,
        pidfd as "pidfd": i32,
    }
}

/// struct clone_args, include/uapi/linux/sched.h.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}
const _: () = assert!(size_of::<CloneArgs>() == 88);

/// include/uapi/linux/sched.h.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
/// Flags whose child would share our memory, stack or handlers: not a fork.
const NOT_A_FORK: u64 = (libc::CLONE_VM
    | libc::CLONE_THREAD
    | libc::CLONE_SIGHAND
    | libc::CLONE_SETTLS
    | libc::CLONE_VFORK
    | libc::CLONE_PARENT_SETTID
    | libc::CLONE_CHILD_SETTID) as u64;

/// A pointer array for execve(2); the texts stay alive with the caller.
fn pointers(texts: &[Text]) -> Outcome<Vec<*const libc::c_char>> {
    let mut pointers = Vec::with_capacity(texts.len() + 1);
    for text in texts {
        pointers.push(text.checked()?.as_ptr());
    }
    pointers.push(std::ptr::null());
    Ok(pointers)
}

fn become_program(dirfd: i32, path: &CStr, argv: &[Text], envp: &[Text], flags: i32) -> Outcome {
    let (argv, envp) = (pointers(argv)?, pointers(envp)?);
    signals::reset();
    // SAFETY: NULL-ended arrays of NUL-ended strings; comes back only on failure.
    result(unsafe { libc::syscall(libc::SYS_execveat, dirfd, path.as_ptr(), argv.as_ptr(), envp.as_ptr(), flags) })
}

sys_functions! {
    /// fork(2). In the child the loop is empty and new (no watches, timers or pumps); the child goes on from this
    /// call, and microtasks that were pending do not run there before `_exit` or `execve`, unless it returns to the loop.
    fn fork as "fork"() -> Outcome {
        // SAFETY: no threads, so the child's memory is consistent.
        let pid = result(unsafe { libc::fork() }.into())?;
        if pid == 0 {
            event_loop::forget_parent();
        }
        Ok(pid)
    }

    /// clone3(2) as a fork. Parent: pid and an owned pidfd. Child: pid 0, pidfd -1; its loop as after `fork`.
    fn clone3 as "clone3"(args: Clone3) -> Outcome<Cloned> {
        let mut pidfd: i32 = -1;
        let mut flags = args.flags as u64 | libc::CLONE_PIDFD as u64;
        if flags & NOT_A_FORK != 0 {
            return Err(Failure::Argument("clone flags of a fork"));
        }
        let cgroup = args.cgroup_fd.and_then(|fd| u64::try_from(fd).ok());
        if cgroup.is_some() {
            flags |= CLONE_INTO_CGROUP;
        }
        let clone_args = CloneArgs {
            flags,
            pidfd: &raw mut pidfd as u64,
            exit_signal: args.exit_signal as u64,
            cgroup: cgroup.unwrap_or(0),
            ..CloneArgs::default()
        };
        // SAFETY: without CLONE_VM and without a stack the child is a copy, as after fork(2). libc's record of the
        // thread id stays the parent's there: only raise(3) and abort(3) read it, and neither is used (engine/fatal.rs).
        let pid = result(unsafe { libc::syscall(libc::SYS_clone3, &clone_args, size_of::<CloneArgs>()) })?;
        if pid == 0 {
            event_loop::forget_parent();
            return Ok(Cloned { pid: 0, pidfd: -1 });
        }
        Ok(Cloned { pid: pid as i32, pidfd })
    }

    /// Comes back only on failure. Signals blocked for signalfd are unblocked and dispositions reset first (SIGPIPE too).
    fn execve as "execve"(path: Text, argv: Vec<Text>, envp: Vec<Text>) -> Outcome {
        become_program(libc::AT_FDCWD, path.checked()?, &argv, &envp, 0)
    }

    fn execveat as "execveat"(dirfd: i32, path: Text, argv: Vec<Text>, envp: Vec<Text>, flags: i32) -> Outcome {
        become_program(dirfd, path.checked()?, &argv, &envp, flags)
    }

    fn exit_now as "_exit"(status: i32) -> Never {
        // SAFETY: ends the process.
        unsafe { libc::_exit(status) }
    }

    /// Ends the process from the main process: flushes nothing, runs no destructor.
    fn exit as "exit"(status: i32) -> Never {
        // SAFETY: ends the process.
        unsafe { libc::_exit(status) }
    }

    fn unshare as "unshare"(flags: i32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::unshare(flags) }.into())
    }

    fn setns as "setns"(fd: i32, nstype: i32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::setns(fd, nstype) }.into())
    }
}

/// The result of a function that does not come back.
pub enum Never {}

impl crate::js::IntoJs for Never {
    fn into_js(self, _: crate::js::Ctx) -> crate::js::qjs::JSValue {
        match self {}
    }
}
