//! Build time: a bundle's modules become bytecode of this very engine, in one archive.

use std::ffi::CString;
use std::ptr;

use super::archive::{self, NATIVE_NAMES, READ_ONLY_WORDS};
use super::boot::start_runtime;
use super::{arguments, die, die_of_exception};
use crate::js::{Ctx, qjs};

/// `main` of the compiler: `compile ARCHIVE FILE…`. The first file is the entry. A file's own name stands in stack
/// traces and is what imports say; the lists are taken as they are.
#[unsafe(no_mangle)]
pub extern "C" fn compile_main(argc: i32, argv: *const *const libc::c_char) -> i32 {
    arguments::keep_arguments(argc, argv);
    let all = arguments::arguments();
    let Some((target, files)) = all.get(1..).and_then(<[String]>::split_first) else {
        die("usage: compile ARCHIVE FILE…");
    };
    let ctx = start_runtime();
    // SAFETY: the context and its runtime are alive.
    unsafe {
        qjs::JS_AddIntrinsicEval(ctx.0);
        qjs::JS_SetModuleLoaderFunc(super::runtime(), None, Some(stand_in), ptr::null_mut());
    }
    let mut blob = Vec::new();
    for path in files {
        let name = path.rsplit('/').next().unwrap_or(path).as_bytes();
        let text = std::fs::read(path).unwrap_or_else(|error| die(&format!("{path}: {error}")));
        let data = if [NATIVE_NAMES, READ_ONLY_WORDS].contains(&name) { text } else { compile(ctx, name, text) };
        archive::append(&mut blob, name, &data);
    }
    if let Err(error) = std::fs::write(target, blob) {
        die(&format!("{target}: {error}"));
    }
    0
}

/// Compiling asks for the modules that are imported, and looks at nothing but their being there.
unsafe extern "C" fn stand_in(
    context: *mut qjs::JSContext,
    name: *const libc::c_char,
    _: *mut libc::c_void,
) -> *mut qjs::JSModuleDef {
    unsafe extern "C" fn nothing(_: *mut qjs::JSContext, _: *mut qjs::JSModuleDef) -> i32 {
        0
    }
    // SAFETY: the engine gives a NUL-ended name.
    unsafe { qjs::JS_NewCModule(context, name, Some(nothing)) }
}

/// Positions are kept for stack traces, the source is not.
fn compile(ctx: Ctx, name: &[u8], text: Vec<u8>) -> Vec<u8> {
    let length = text.len();
    let (Ok(name), Ok(text)) = (CString::new(name), CString::new(text)) else {
        die("a NUL in the name or in the source");
    };
    let flags = qjs::JS_EVAL_TYPE_MODULE | qjs::JS_EVAL_FLAG_COMPILE_ONLY;
    let write = qjs::JS_WRITE_OBJ_BYTECODE | qjs::JS_WRITE_OBJ_STRIP_SOURCE;
    // SAFETY: text is NUL-ended as JS_Eval wants it; the written bytes are copied before the process ends.
    unsafe {
        let module = qjs::JS_Eval(ctx.0, text.as_ptr(), length as _, name.as_ptr(), flags as i32);
        if qjs::JS_IsException(module) {
            die_of_exception("the bundle does not compile");
        }
        let mut size = 0;
        let bytes = qjs::JS_WriteObject(ctx.0, &mut size, module, write as i32);
        if bytes.is_null() {
            die_of_exception("the bundle cannot be written as bytecode");
        }
        std::slice::from_raw_parts(bytes, size as usize).to_vec()
    }
}
