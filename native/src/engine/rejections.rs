use std::cell::RefCell;
use std::mem;

use super::boot::ctx;
use super::fatal::describe;
use super::{die, die_of_exception};
use crate::js::{Callback, SingleThread, qjs};

struct Rejection {
    promise: qjs::JSValue,
    reason: qjs::JSValue,
}

static PENDING: SingleThread<RefCell<Vec<Rejection>>> = SingleThread(RefCell::new(Vec::new()));
static HOOK: SingleThread<RefCell<Option<Callback>>> = SingleThread(RefCell::new(None));

pub fn set_rejection_hook(hook: Callback) {
    HOOK.0.replace(Some(hook));
}

pub fn track_rejections(runtime: *mut qjs::JSRuntime) {
    // SAFETY: the tracker is a static function without state of its own.
    unsafe { qjs::JS_SetHostPromiseRejectionTracker(runtime, Some(track), std::ptr::null_mut()) }
}

/// HostPromiseRejectionTracker (ECMA-262): a promise was rejected without a handler, or got one afterwards.
unsafe extern "C" fn track(
    context: *mut qjs::JSContext,
    promise: qjs::JSValue,
    reason: qjs::JSValue,
    is_handled: bool,
    _: *mut libc::c_void,
) {
    let mut pending = PENDING.0.borrow_mut();
    // SAFETY: both values are alive during the call; what is kept gets references of its own.
    unsafe {
        if !is_handled {
            pending.push(Rejection {
                promise: qjs::JS_DupValue(context, promise),
                reason: qjs::JS_DupValue(context, reason),
            });
            return;
        }
        let object = qjs::JS_VALUE_GET_PTR(promise);
        if let Some(index) = pending.iter().position(|entry| qjs::JS_VALUE_GET_PTR(entry.promise) == object) {
            let entry = pending.swap_remove(index);
            drop(pending);
            qjs::JS_FreeValue(context, entry.promise);
            qjs::JS_FreeValue(context, entry.reason);
        }
    }
}

/// Takes the pending exception, which nobody above can catch: given to the hook as a rejection is, or the end.
pub fn report_exception() {
    let Some(hook) = HOOK.0.borrow().clone() else { die_of_exception("uncaught exception") };
    // SAFETY: takes the pending exception; call takes ownership of it.
    let exception = unsafe { qjs::JS_GetException(ctx().0) };
    tell(&hook, exception);
}

/// Called when all jobs ran: whoever is still without a handler now is reported. True when a hook ran, which may
/// have queued jobs.
pub fn judge_rejections() -> bool {
    let pending = mem::take(&mut *PENDING.0.borrow_mut());
    if pending.is_empty() {
        return false;
    }
    let hook = HOOK.0.borrow().clone();
    for entry in pending {
        let Some(hook) = &hook else {
            die(&format!("unhandled rejection: {}", describe(ctx(), entry.reason)));
        };
        // SAFETY: the promise is ours.
        unsafe { qjs::JS_FreeValue(ctx().0, entry.promise) };
        tell(hook, entry.reason);
    }
    true
}

/// Takes ownership of `reason`.
fn tell(hook: &Callback, reason: qjs::JSValue) {
    if !hook.call(&mut [reason]) {
        die_of_exception("exception in the hook for unhandled rejections");
    }
}
