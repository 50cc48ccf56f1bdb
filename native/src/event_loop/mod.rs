//! One epoll instance. Every callback runs to completion, then all promise jobs, then rejections are judged.

mod fork;
mod run;
mod timers;
mod watches;

use std::cell::{Cell, RefCell};

use crate::js::{Callback, SingleThread, qjs};

pub use fork::{forget_parent, own_fds};
pub use run::run;
pub use timers::{clear_timer, set_timer};
pub use watches::{rewatch, unref, unwatch, watch};

/// What an event of the epoll instance is for; packed into its 64 bits of user data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// A watch by fd, with the serial number that tells it from an earlier one of the same fd.
    Watch {
        fd: i32,
        serial: u32,
    },
    /// One end of a pump, by the pump's id.
    PumpSource {
        id: u32,
    },
    PumpSink {
        id: u32,
    },
}

const PUMP_BIT: u64 = 1 << 63;
const SINK_BIT: u64 = 1 << 62;
/// Serial numbers leave the two upper bits to pumps.
const MAX_SERIAL: u32 = 0x3fff_ffff;

impl Token {
    fn pack(self) -> u64 {
        match self {
            Token::Watch { fd, serial } => (u64::from(serial & MAX_SERIAL) << 32) | u64::from(fd as u32),
            Token::PumpSource { id } => PUMP_BIT | u64::from(id),
            Token::PumpSink { id } => PUMP_BIT | SINK_BIT | u64::from(id),
        }
    }

    fn unpack(word: u64) -> Self {
        let id = word as u32;
        match (word & PUMP_BIT != 0, word & SINK_BIT != 0) {
            (true, false) => Token::PumpSource { id },
            (true, true) => Token::PumpSink { id },
            (false, _) => Token::Watch { fd: id as i32, serial: (word >> 32) as u32 },
        }
    }
}

/// The epoll fd; -1 until something is watched, so that a short-lived child pays nothing.
static EPOLL: SingleThread<Cell<i32>> = SingleThread(Cell::new(-1));
static WATCHES: SingleThread<RefCell<watches::Watches>> = SingleThread(RefCell::new(watches::Watches::new()));
static TIMERS: SingleThread<RefCell<timers::Timers>> = SingleThread(RefCell::new(timers::Timers::new()));

fn epoll_fd() -> Result<i32, i32> {
    if EPOLL.0.get() < 0 {
        // SAFETY: makes an fd.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(errno());
        }
        EPOLL.0.set(fd);
    }
    Ok(EPOLL.0.get())
}

/// epoll_ctl(2) with our token. 0, or the errno.
pub fn control(operation: i32, fd: i32, events: u32, token: Token) -> Result<(), i32> {
    let mut event = libc::epoll_event { events, u64: token.pack() };
    // SAFETY: the event is alive for the call.
    match unsafe { libc::epoll_ctl(epoll_fd()?, operation, fd, &mut event) } {
        0 => Ok(()),
        _ => Err(errno()),
    }
}

pub fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// Calls back into JavaScript, then runs all jobs.
pub fn enter(callback: &Callback, arguments: &mut [qjs::JSValue]) {
    crate::engine::rearm_watchdog();
    if !callback.call(arguments) {
        crate::engine::report_exception();
    }
    run::run_jobs();
}
