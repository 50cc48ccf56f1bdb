use std::cell::Cell;

use super::boot::ctx;
use super::die;
use super::fatal::{describe, error_here};
use crate::js::{SingleThread, qjs};
use crate::sys::clocks::monotonic_ns;

/// The longest time one callback with its jobs may run, and when the present one has to be done. 0: none.
static LIMIT_NS: SingleThread<Cell<u64>> = SingleThread(Cell::new(0));
static DEADLINE_NS: SingleThread<Cell<u64>> = SingleThread(Cell::new(0));

pub fn set_watchdog(limit_ms: f64) {
    LIMIT_NS.0.set((limit_ms.max(0.0) * 1e6) as u64);
    rearm_watchdog();
}

/// A new callback begins.
pub fn rearm_watchdog() {
    let limit = LIMIT_NS.0.get();
    DEADLINE_NS.0.set(if limit == 0 { 0 } else { monotonic_ns() + limit });
}

/// A forked child may block (for its parent) as long as it must; the loop arms it again if the child gets there.
pub fn disarm_watchdog() {
    DEADLINE_NS.0.set(0);
}

pub fn install_interrupt_handler(runtime: *mut qjs::JSRuntime) {
    // SAFETY: the handler is a static function without state of its own.
    unsafe { qjs::JS_SetInterruptHandler(runtime, Some(interrupt), std::ptr::null_mut()) }
}

/// Called by the engine every few thousand branches. Ends the process itself: an interrupt is uncatchable in
/// JavaScript, and would leave the promise of an async function unsettled for ever.
unsafe extern "C" fn interrupt(_: *mut qjs::JSRuntime, _: *mut libc::c_void) -> i32 {
    let deadline = DEADLINE_NS.0.get();
    if deadline != 0 && monotonic_ns() > deadline {
        DEADLINE_NS.0.set(0);
        let limit_ms = LIMIT_NS.0.get() / 1_000_000;
        let here = error_here(ctx(), &format!("one callback ran longer than {limit_ms} ms"));
        die(&format!("watchdog: {}", describe(ctx(), here)));
    }
    0
}
