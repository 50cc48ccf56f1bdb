use std::cell::Cell;
use std::ptr;

use super::{arguments, die, fatal, idle, limits, modules, own_program, rejections};
use crate::js::{Ctx, SingleThread, qjs};
use crate::{event_loop, heap};

static CONTEXT: SingleThread<Cell<*mut qjs::JSContext>> = SingleThread(Cell::new(ptr::null_mut()));

/// Heap at which garbage is collected for the first time: loading a bundle makes none. Later thresholds are the
/// engine's, half as much again as what survived.
const FIRST_GC_BYTES: u64 = 2 << 20;

/// The context; valid once boot made it.
pub fn ctx() -> Ctx {
    Ctx(CONTEXT.0.get())
}

pub fn runtime() -> *mut qjs::JSRuntime {
    // SAFETY: the context lives as long as the process.
    unsafe { qjs::JS_GetRuntime(ctx().0) }
}

/// `main` of the binaries.
#[unsafe(no_mangle)]
pub extern "C" fn engine_main(argc: i32, argv: *const *const libc::c_char) -> i32 {
    if idle::is_asked(argc, argv) {
        idle::idle();
    }
    arguments::keep_arguments(argc, argv);
    own_program::run_read_only(modules::read_only_words(), argc, argv);
    fatal::install_panic_hook();
    // SAFETY: ignoring a signal touches no memory of ours. A write to a closed pipe is an errno, not death.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    start_runtime();
    modules::run_bundle();
    event_loop::run()
}

/// Makes runtime and context, with no more intrinsics than our TypeScript uses: each costs start-up time,
/// 40 times as much in a guest under TCG.
pub(super) fn start_runtime() -> Ctx {
    // SAFETY: plain construction; a failure is answered at once.
    unsafe {
        let runtime = qjs::JS_NewRuntime2(&raw const heap::FUNCTIONS, ptr::null_mut());
        if runtime.is_null() {
            die("no memory for the JavaScript runtime");
        }
        let context = qjs::JS_NewContextRaw(runtime);
        if context.is_null() {
            die("no memory for the JavaScript context");
        }
        CONTEXT.0.set(context);
        qjs::JS_SetGCThreshold(runtime, FIRST_GC_BYTES);
        qjs::JS_AddIntrinsicBaseObjects(context);
        qjs::JS_AddIntrinsicDate(context);
        qjs::JS_AddIntrinsicRegExpCompiler(context);
        qjs::JS_AddIntrinsicRegExp(context);
        qjs::JS_AddIntrinsicJSON(context);
        qjs::JS_AddIntrinsicMapSet(context);
        qjs::JS_AddIntrinsicTypedArrays(context);
        qjs::JS_AddIntrinsicPromise(context);
        qjs::JS_AddIntrinsicBigInt(context);
        qjs::JS_AddIntrinsicWeakRef(context);
        qjs::JS_SetModuleLoaderFunc(runtime, None, Some(modules::load_module), ptr::null_mut());
        limits::install_interrupt_handler(runtime);
        rejections::track_rejections(runtime);
    }
    ctx()
}
