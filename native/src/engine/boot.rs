use std::cell::Cell;
use std::ptr;

use super::{arguments, die, die_of_exception, fatal, limits, rejections};
use crate::js::{Ctx, SingleThread, qjs};
use crate::{event_loop, heap, sys};

static CONTEXT: SingleThread<Cell<*mut qjs::JSContext>> = SingleThread(Cell::new(ptr::null_mut()));

/// Heap at which garbage is collected for the first time: loading a bundle makes none. Later thresholds are the
/// engine's, half as much again as what survived.
const FIRST_GC_BYTES: u64 = 4 << 20;

#[cfg(not(test))]
unsafe extern "C" {
    // The bundle's bytecode: `ld -r -b binary` names a file's bytes so (hack/build-bin). Part of the
    // mapped, read-only image: bytecode is trusted input and never comes from a file.
    static _binary_bundle_start: u8;
    static _binary_bundle_end: u8;
}

/// Unit tests run no bundle.
#[cfg(test)]
#[allow(non_upper_case_globals)]
static _binary_bundle_start: u8 = 0;
#[cfg(test)]
#[allow(non_upper_case_globals)]
static _binary_bundle_end: u8 = 0;

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
    arguments::keep_arguments(argc, argv);
    fatal::install_panic_hook();
    // SAFETY: ignoring a signal touches no memory of ours. A write to a closed pipe is an errno, not death.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    start_runtime();
    run_bundle();
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
        qjs::JS_SetModuleLoaderFunc(runtime, None, Some(load_module), ptr::null_mut());
        limits::install_interrupt_handler(runtime);
        rejections::track_rejections(runtime);
    }
    ctx()
}

/// The loader knows one module, `native:sys`; a bundle imports nothing else.
unsafe extern "C" fn load_module(
    context: *mut qjs::JSContext,
    name: *const libc::c_char,
    _opaque: *mut libc::c_void,
) -> *mut qjs::JSModuleDef {
    // SAFETY: the engine gives a NUL-ended name.
    unsafe {
        if std::ffi::CStr::from_ptr(name) == c"native:sys" {
            return sys::declare(Ctx(context));
        }
        qjs::JS_ThrowReferenceError(context, c"no module %s: a bundle imports native:sys only".as_ptr(), name);
        ptr::null_mut()
    }
}

fn run_bundle() {
    let ctx = ctx();
    // SAFETY: the symbols enclose bytecode written by the same engine (compile_main); JS_EvalFunction
    // takes ownership of the module.
    let result = unsafe {
        let start = &raw const _binary_bundle_start;
        let length = (&raw const _binary_bundle_end).offset_from(start);
        let module = qjs::JS_ReadObject(ctx.0, start, length as _, qjs::JS_READ_OBJ_BYTECODE as i32);
        if qjs::JS_IsException(module) || qjs::JS_ResolveModule(ctx.0, module) < 0 {
            die_of_exception("the bundle cannot be loaded");
        }
        qjs::JS_EvalFunction(ctx.0, module)
    };
    // SAFETY: reads the tag; the module's promise is kept by the engine as long as it is pending, and its
    // rejection is judged as any other promise's.
    unsafe {
        if qjs::JS_IsException(result) {
            die_of_exception("uncaught exception");
        }
        qjs::JS_FreeValue(ctx.0, result);
    }
}
