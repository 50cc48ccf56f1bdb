//! Build time: a bundle's JavaScript becomes bytecode of this very engine.

use std::ffi::CString;

use super::boot::start_runtime;
use super::{arguments, die, die_of_exception};
use crate::js::qjs;

/// `main` of the compiler: `compile NAME SOURCE BYTECODE`. NAME stands in stack traces.
#[unsafe(no_mangle)]
pub extern "C" fn compile_main(argc: i32, argv: *const *const libc::c_char) -> i32 {
    arguments::keep_arguments(argc, argv);
    let [_, name, source, bytecode] = &arguments::arguments()[..] else {
        die("usage: compile NAME SOURCE BYTECODE");
    };
    let text = std::fs::read(source).unwrap_or_else(|error| die(&format!("{source}: {error}")));
    if let Err(error) = std::fs::write(bytecode, compile(name, text)) {
        die(&format!("{bytecode}: {error}"));
    }
    0
}

/// Positions are kept for stack traces, the source is not.
fn compile(name: &str, text: Vec<u8>) -> Vec<u8> {
    let ctx = start_runtime();
    let length = text.len();
    let (Ok(name), Ok(text)) = (CString::new(name), CString::new(text)) else {
        die("a NUL in the name or in the source");
    };
    let flags = qjs::JS_EVAL_TYPE_MODULE | qjs::JS_EVAL_FLAG_COMPILE_ONLY;
    let write = qjs::JS_WRITE_OBJ_BYTECODE | qjs::JS_WRITE_OBJ_STRIP_SOURCE;
    // SAFETY: text is NUL-ended as JS_Eval wants it; the written bytes are copied before the process ends.
    unsafe {
        qjs::JS_AddIntrinsicEval(ctx.0);
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
