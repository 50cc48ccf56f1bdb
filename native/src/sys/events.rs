//! Event loop: one epoll instance; every callback runs to completion, then all promise jobs

use crate::js::{Callback, Outcome, qjs};
use crate::{engine, event_loop, js_output, sys_functions};

js_output! {
    struct MemoryUsage {
        heap_bytes as "heapBytes": i64,
        objects as "objects": i64,
    }
}

sys_functions! {
    /// Watches `fd` for EPOLL* `events` (level-triggered unless EPOLLET). One watch an fd.
    /// @type callback (events: number) => void
    fn watch as "watch"(fd: i32, events: u32, callback: Callback) -> Outcome {
        event_loop::watch(fd, events, callback)
    }

    fn rewatch as "rewatch"(fd: i32, events: u32) -> Outcome {
        event_loop::rewatch(fd, events)
    }

    /// Call before closing the fd.
    fn unwatch as "unwatch"(fd: i32) -> Outcome {
        event_loop::unwatch(fd)
    }

    /// One-shot timer; gives an id > 0.
    /// @type callback () => void
    fn set_timer as "setTimer"(delay_ms: f64, callback: Callback) -> u32 {
        event_loop::set_timer(delay_ms, callback)
    }

    fn clear_timer as "clearTimer"(id: u32) {
        event_loop::clear_timer(id);
    }

    /// The loop ends, and the process with status 0, when nothing is watched, no timer and no pump is left; an unreferenced watch does not count.
    fn unref as "unref"(fd: i32) {
        event_loop::unref(fd);
    }

    /// Hook for promises that were rejected and have no handler after the jobs ran, and for exceptions that a callback threw.
    /// Without one the process logs to stderr and aborts (status 70).
    /// @type callback (reason: unknown) => void
    fn on_unhandled_rejection as "onUnhandledRejection"(callback: Callback) {
        engine::set_rejection_hook(callback);
    }

    /// What the process says when it aborts (watchdog, panic, no hook for a rejection) goes to this fd too, as one line of JSON
    /// with `level` fatal and `msg`. Borrowed for good; -1: stderr only.
    fn set_fatal_log as "setFatalLog"(fd: i32) {
        engine::set_fatal_log(fd);
    }

    /// Aborts the process (status 70, the stack on stderr) when one callback with its jobs runs longer than this; 0: off.
    fn set_watchdog as "setWatchdog"(limit_ms: f64) {
        engine::set_watchdog(limit_ms);
    }

    /// Bytes of JS heap beyond which allocation throws; 0: none.
    fn set_memory_limit as "setMemoryLimit"(bytes: usize) {
        // SAFETY: the runtime lives as long as the process.
        unsafe { qjs::JS_SetMemoryLimit(engine::runtime(), bytes as _) }
    }

    fn memory_usage as "memoryUsage"() -> MemoryUsage {
        // SAFETY: the engine fills the struct.
        unsafe {
            let mut usage: qjs::JSMemoryUsage = std::mem::zeroed();
            qjs::JS_ComputeMemoryUsage(engine::runtime(), &mut usage);
            MemoryUsage { heap_bytes: usage.malloc_size, objects: usage.obj_count }
        }
    }

    fn gc as "gc"() {
        // SAFETY: the runtime lives as long as the process.
        unsafe { qjs::JS_RunGC(engine::runtime()) }
    }
}
