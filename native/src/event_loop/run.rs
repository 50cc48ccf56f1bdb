use super::{EPOLL, TIMERS, Token, WATCHES, enter, timers};
use crate::engine::{die, judge_rejections, rearm_watchdog, report_exception, runtime};
use crate::js::{IntoJs, qjs};
use crate::{pump, sys};

/// Events taken from the kernel at once.
const BATCH: usize = 64;

/// Promise jobs until there are none, then the rejections that are still unhandled.
pub fn run_jobs() {
    loop {
        let mut context = std::ptr::null_mut();
        // SAFETY: the runtime lives as long as the process.
        match unsafe { qjs::JS_ExecutePendingJob(runtime(), &mut context) } {
            0 if judge_rejections() => {}
            0 => return,
            status if status < 0 => report_exception(),
            _ => {}
        }
    }
}

/// Runs until nothing is left to wait for, and ends the process with status 0.
pub fn run() -> ! {
    rearm_watchdog();
    run_jobs();
    loop {
        let pumping = pump::any_ready();
        if !pumping && !is_alive() {
            // SAFETY: ends the process; JavaScript values are not torn down (facts/runtime.md, pitfall 9).
            unsafe { libc::_exit(0) }
        }
        let timeout = if pumping { Some(0) } else { TIMERS.0.borrow().until_next(sys::clocks::monotonic_ns()) };
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; BATCH];
        let count = wait(&mut events, timeout);
        for event in &events[..count] {
            dispatch(Token::unpack(event.u64), event.events);
        }
        pump::run_ready();
        timers::run_due();
    }
}

fn is_alive() -> bool {
    WATCHES.0.borrow().any_referenced() || !TIMERS.0.borrow().is_empty() || pump::any()
}

/// epoll_pwait2(2), which takes nanoseconds. Linux 5.11; the callers' kernels are 5.15 and newer.
fn wait(events: &mut [libc::epoll_event], timeout_ns: Option<u64>) -> usize {
    let timeout =
        timeout_ns.map(|ns| libc::timespec { tv_sec: (ns / 1_000_000_000) as _, tv_nsec: (ns % 1_000_000_000) as _ });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let epoll = super::epoll_fd().unwrap_or_else(|errno| die(&format!("epoll_create1: errno {errno}")));
    let start = events.as_mut_ptr();
    // SAFETY: the kernel writes at most as many events as the slice holds.
    let seen = unsafe { libc::syscall(libc::SYS_epoll_pwait2, epoll, start, events.len(), timeout, 0usize, 8usize) };
    if seen < 0 && super::errno() != libc::EINTR {
        die(&format!("epoll_pwait2 on {}: errno {}", EPOLL.0.get(), super::errno()));
    }
    seen.max(0) as usize
}

/// An event of a watch that an earlier callback of the same batch removed is dropped.
fn dispatch(token: Token, events: u32) {
    match token {
        Token::PumpSource { .. } | Token::PumpSink { .. } => pump::wake(token, events),
        Token::Watch { fd, serial } => {
            let callback = WATCHES.0.borrow().callback(fd, serial);
            if let Some(callback) = callback {
                enter(&callback, &mut [events.into_js(crate::engine::ctx())]);
            }
        }
    }
}
