//! The module `native:sys`: system calls with nothing decided.
//!
//! A function that gives a number gives the call's result or a negative errno; one that gives data gives it or a
//! negative errno. EINTR is retried here, EAGAIN is returned. Names and types as JavaScript sees them are
//! generated into native/ts/sys.d.ts.

pub mod clocks;
pub mod descriptors;
pub mod directories;
pub mod events;
pub mod files;
pub mod identity;
pub mod kvm;
pub mod messages;
pub mod mounts;
pub mod process;
pub mod pumps;
pub mod scheduling;
pub mod seccomp;
pub mod signals;
pub mod sockets;
pub mod spawn;
pub mod stat;
pub mod text;

use std::cell::RefCell;

use crate::js::{Ctx, Export, Failure, Outcome, SingleThread, qjs};

const TABLES: &[&[Export]] = &[
    files::FUNCTIONS,
    stat::FUNCTIONS,
    directories::FUNCTIONS,
    descriptors::FUNCTIONS,
    sockets::FUNCTIONS,
    messages::FUNCTIONS,
    spawn::FUNCTIONS,
    process::FUNCTIONS,
    identity::FUNCTIONS,
    scheduling::FUNCTIONS,
    seccomp::FUNCTIONS,
    signals::FUNCTIONS,
    mounts::FUNCTIONS,
    clocks::FUNCTIONS,
    events::FUNCTIONS,
    pumps::FUNCTIONS,
    kvm::FUNCTIONS,
    text::FUNCTIONS,
];

/// The result of a system call: its value, or errno.
fn result(value: i64) -> Outcome {
    if value < 0 { Err(Failure::Errno(crate::event_loop::errno())) } else { Ok(value) }
}

/// As `result`, and once more whenever a signal interrupted the call.
fn retry<T: Into<i64>>(mut call: impl FnMut() -> T) -> Outcome {
    loop {
        match result(call().into()) {
            Err(Failure::Errno(libc::EINTR)) => {}
            other => return other,
        }
    }
}

/// The functions among `names`, which are sorted and one a line.
fn chosen(names: &[u8]) -> impl Iterator<Item = &'static Export> {
    let names: Vec<&[u8]> = names.split(|byte| *byte == b'\n').collect();
    TABLES.iter().copied().flatten().filter(move |export| names.binary_search(&export.name.to_bytes()).is_ok())
}

static CHOSEN: SingleThread<RefCell<Vec<&'static Export>>> = SingleThread(RefCell::new(Vec::new()));

/// Declares the module with the functions that a bundle uses: each costs start-up time.
pub fn declare(ctx: Ctx, names: &[u8]) -> *mut qjs::JSModuleDef {
    CHOSEN.0.replace(chosen(names).collect());
    // SAFETY: names are static and NUL-ended.
    unsafe {
        let module = qjs::JS_NewCModule(ctx.0, c"native:sys".as_ptr(), Some(fill));
        if !module.is_null() {
            for export in CHOSEN.0.borrow().iter() {
                qjs::JS_AddModuleExport(ctx.0, module, export.name.as_ptr());
            }
        }
        module
    }
}

unsafe extern "C" fn fill(context: *mut qjs::JSContext, module: *mut qjs::JSModuleDef) -> i32 {
    for export in CHOSEN.0.take() {
        // SAFETY: the function pointer is static; JS_SetModuleExport takes ownership of the function object.
        unsafe {
            let function = qjs::JS_NewCFunction2(
                context,
                Some(export.call),
                export.name.as_ptr(),
                export.length,
                qjs::JSCFunctionEnum_JS_CFUNC_generic,
                0,
            );
            if qjs::JS_SetModuleExport(context, module, export.name.as_ptr(), function) < 0 {
                return -1;
            }
        }
    }
    0
}
