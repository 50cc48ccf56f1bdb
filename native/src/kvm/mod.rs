//! A trial of /dev/kvm: a small guest really runs, and only what it did is believed.
//!
//! ```text
//!   parent ──fork──▶ child: VM, vCPU, guest A B C D E
//!      │                        │ stages and verdict in shared memory
//!      ╰── waits at most timeoutMs, kills, reads what was seen
//! ```
//! There are hosts whose /dev/kvm opens and creates VMs, but emulates ring 0 slowly and wrongly: a real kernel
//! would hang there on its first int3 or cmpxchg16b. Where KVM is sound the trial takes some milliseconds; that it says
//! so was checked on kvm-amd of Linux 6.1, nested in a QEMU guest whose SVM is emulated.

mod guest;
mod layout;
mod machine;
mod report;

use report::Report;

use crate::event_loop::errno;
use crate::sys::clocks::monotonic_ns;

pub struct Verdict {
    pub usable: bool,
    pub reason: String,
    pub elapsed_ms: f64,
}

/// Runs the trial in a forked child, because a vCPU that hangs can only be killed with its process.
pub fn trial(timeout_ms: f64) -> Verdict {
    let start = monotonic_ns();
    let (usable, reason) = judged(timeout_ms);
    Verdict { usable, reason, elapsed_ms: (monotonic_ns() - start) as f64 / 1e6 }
}

fn judged(timeout_ms: f64) -> (bool, String) {
    let report = match Report::shared() {
        Ok(report) => report,
        Err(errno) => return (false, format!("no shared memory for the trial (errno {errno})")),
    };
    // SAFETY: no threads; the child touches neither JavaScript nor the loop and ends in _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        machine::run_trial(&report);
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) }
    }
    if pid < 0 {
        return (false, format!("no process for the trial (errno {})", errno()));
    }
    let ended = wait_for(pid, timeout_ms);
    report.verdict(ended, timeout_ms)
}

/// Reaps the child; false when it had to be killed.
fn wait_for(pid: i32, timeout_ms: f64) -> bool {
    // SAFETY: takes no pointers.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as i32;
    let ended = pidfd >= 0 && wait_readable(pidfd, timeout_ms);
    if !ended {
        // SAFETY: our own child, which is not reaped yet.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        // A vCPU deep in the kernel may take a moment to see the signal; it must not take us with it.
        wait_readable(pidfd, 1000.0);
    }
    // SAFETY: no status is asked for. WNOHANG, for the child that even SIGKILL cannot end now.
    unsafe {
        libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG);
        libc::close(pidfd);
    }
    ended
}

fn wait_readable(pidfd: i32, timeout_ms: f64) -> bool {
    let deadline = monotonic_ns() + (timeout_ms.max(0.0) * 1e6) as u64;
    loop {
        let mut entry = libc::pollfd { fd: pidfd, events: libc::POLLIN, revents: 0 };
        let left_ms = deadline.saturating_sub(monotonic_ns()).div_ceil(1_000_000);
        // SAFETY: one entry.
        match unsafe { libc::poll(&mut entry, 1, left_ms.min(i32::MAX as u64) as i32) } {
            1.. => return true,
            0 => return false,
            _ if errno() == libc::EINTR => {}
            _ => return false,
        }
    }
}
