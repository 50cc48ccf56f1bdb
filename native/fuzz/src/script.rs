//! A JavaScript context in which `native:sys` is called as TypeScript calls it.

use std::cell::Cell;
use std::ptr;

use crate::heap;
use crate::js::{Ctx, Export, qjs};

thread_local! {
    static CONTEXT: Cell<*mut qjs::JSContext> = const { Cell::new(ptr::null_mut()) };
}

/// The context, made once; with the intrinsics that values need.
pub fn context() -> Ctx {
    CONTEXT.with(|place| {
        if place.get().is_null() {
            // SAFETY: plain construction, never torn down.
            unsafe {
                let runtime = qjs::JS_NewRuntime2(&raw const heap::FUNCTIONS, ptr::null_mut());
                let context = qjs::JS_NewContextRaw(runtime);
                assert!(!context.is_null());
                qjs::JS_AddIntrinsicBaseObjects(context);
                qjs::JS_AddIntrinsicTypedArrays(context);
                qjs::JS_AddIntrinsicBigInt(context);
                place.set(context);
            }
        }
        Ctx(place.get())
    })
}

/// Calls a function of `native:sys`; frees the arguments. An exception comes back as None.
pub fn call(tables: &[&[Export]], name: &str, mut arguments: Vec<qjs::JSValue>) -> Option<qjs::JSValue> {
    let ctx = context();
    let export = tables.iter().copied().flatten().find(|export| export.name.to_bytes() == name.as_bytes());
    let export = export.unwrap_or_else(|| panic!("no function {name}"));
    // SAFETY: the values are alive and freed once.
    unsafe {
        let result = (export.call)(ctx.0, qjs::JS_UNDEFINED, arguments.len() as i32, arguments.as_mut_ptr());
        for argument in arguments {
            qjs::JS_FreeValue(ctx.0, argument);
        }
        if qjs::JS_IsException(result) {
            qjs::JS_FreeValue(ctx.0, qjs::JS_GetException(ctx.0));
            return None;
        }
        Some(result)
    }
}

pub fn free(value: qjs::JSValue) {
    // SAFETY: the caller's own value.
    unsafe { qjs::JS_FreeValue(context().0, value) }
}

pub fn bytes(data: &[u8]) -> qjs::JSValue {
    // SAFETY: copied by the call.
    unsafe { qjs::JS_NewUint8ArrayCopy(context().0, data.as_ptr(), data.len() as _) }
}

pub fn string16(units: &[u16]) -> qjs::JSValue {
    // SAFETY: copied by the call.
    unsafe { qjs::JS_NewStringUTF16(context().0, units.as_ptr(), units.len() as _) }
}

pub fn number(value: f64) -> qjs::JSValue {
    qjs::JS_NewFloat64(value)
}
