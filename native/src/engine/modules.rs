//! Finds modules in the archive that the linker put beside the engine.

use std::ffi::CStr;
use std::ptr;

use super::archive::{self, NATIVE_NAMES, PRELUDE, READ_ONLY_WORDS};
use super::boot::ctx;
use super::{die, die_of_exception};
use crate::js::{Ctx, qjs};
use crate::sys;

#[cfg(not(test))]
unsafe extern "C" {
    // `ld -r -b binary` names a file's bytes so (hack/build-bin). Part of the mapped, read-only image: bytecode is
    // trusted input and never comes from a file.
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

fn bundle() -> &'static [u8] {
    let start = &raw const _binary_bundle_start;
    // SAFETY: the two symbols enclose the blob.
    unsafe { std::slice::from_raw_parts(start, (&raw const _binary_bundle_end).offset_from(start) as usize) }
}

fn find(name: &[u8]) -> Option<&'static [u8]> {
    archive::entries(bundle()).find(|entry| entry.name == name).map(|entry| entry.data)
}

/// The arguments with which the bundle wants to run from a read-only mount, a line each.
pub fn read_only_words() -> &'static [u8] {
    find(READ_ONLY_WORDS).unwrap_or_default()
}

/// Evaluates the prelude, then the entry. Their promises are kept by the engine as long as they are pending, and a
/// rejection is judged as any other promise's.
pub fn run_bundle() {
    if let Some(prelude) = find(PRELUDE) {
        evaluate(prelude);
    }
    match archive::entries(bundle()).next() {
        Some(entry) => evaluate(entry.data),
        None => die("there is no bundle in this binary"),
    }
}

/// A module's bytecode as the engine's object; an exception when it is none.
///
/// # Safety
/// `bytecode` was written by compile_main of this engine.
unsafe fn read(ctx: Ctx, bytecode: &[u8]) -> qjs::JSValue {
    // SAFETY: the bytes are alive for the call, which copies what it keeps.
    unsafe { qjs::JS_ReadObject(ctx.0, bytecode.as_ptr(), bytecode.len() as _, qjs::JS_READ_OBJ_BYTECODE as i32) }
}

fn evaluate(bytecode: &[u8]) {
    let ctx = ctx();
    // SAFETY: bytecode of the archive; JS_EvalFunction takes ownership of the module.
    unsafe {
        let module = read(ctx, bytecode);
        if qjs::JS_IsException(module) || qjs::JS_ResolveModule(ctx.0, module) < 0 {
            die_of_exception("the bundle cannot be loaded");
        }
        let result = qjs::JS_EvalFunction(ctx.0, module);
        if qjs::JS_IsException(result) {
            die_of_exception("uncaught exception");
        }
        qjs::JS_FreeValue(ctx.0, result);
    }
}

/// Called by the engine for an import that it meets for the first time. Knows `native:sys` and the archive's chunks.
pub unsafe extern "C" fn load_module(
    context: *mut qjs::JSContext,
    name: *const libc::c_char,
    _opaque: *mut libc::c_void,
) -> *mut qjs::JSModuleDef {
    // SAFETY: the engine gives a NUL-ended name. A module is registered by reading it; the reference that reading
    // gave stays, because a module lives as long as the process.
    unsafe {
        let wanted = CStr::from_ptr(name);
        if wanted == c"native:sys" {
            return sys::declare(Ctx(context), find(NATIVE_NAMES).unwrap_or_default());
        }
        if let Some(bytecode) = find(wanted.to_bytes()) {
            let module = read(Ctx(context), bytecode);
            return if qjs::JS_IsException(module) { ptr::null_mut() } else { qjs::JS_VALUE_GET_PTR(module).cast() };
        }
        qjs::JS_ThrowReferenceError(context, c"no module %s in this binary".as_ptr(), name);
        ptr::null_mut()
    }
}
