use std::ffi::CString;

use super::{Checked, Ctx, Failure, qjs};

/// A typed result. An allocation that fails gives the engine's own exception.
pub trait IntoJs {
    fn into_js(self, ctx: Ctx) -> qjs::JSValue;
}

impl IntoJs for () {
    fn into_js(self, _: Ctx) -> qjs::JSValue {
        qjs::JS_UNDEFINED
    }
}

impl IntoJs for i32 {
    fn into_js(self, _: Ctx) -> qjs::JSValue {
        qjs::JS_MKVAL(qjs::JS_TAG_INT, self)
    }
}

impl IntoJs for u32 {
    fn into_js(self, _: Ctx) -> qjs::JSValue {
        qjs::JS_NewFloat64(self.into())
    }
}

impl IntoJs for i64 {
    fn into_js(self, _: Ctx) -> qjs::JSValue {
        qjs::JS_NewFloat64(self as f64)
    }
}

impl IntoJs for f64 {
    fn into_js(self, _: Ctx) -> qjs::JSValue {
        qjs::JS_NewFloat64(self)
    }
}

impl IntoJs for bool {
    fn into_js(self, _: Ctx) -> qjs::JSValue {
        if self { qjs::JS_TRUE } else { qjs::JS_FALSE }
    }
}

/// 64 bits that JavaScript sees as a bigint.
pub struct BigWord(pub u64);

impl IntoJs for BigWord {
    fn into_js(self, ctx: Ctx) -> qjs::JSValue {
        // SAFETY: the context is alive.
        unsafe { qjs::JS_NewBigUint64(ctx.0, self.0) }
    }
}

impl IntoJs for u64 {
    fn into_js(self, ctx: Ctx) -> qjs::JSValue {
        BigWord(self).into_js(ctx)
    }
}

impl IntoJs for &str {
    fn into_js(self, ctx: Ctx) -> qjs::JSValue {
        // SAFETY: the pointer and length are of valid UTF-8, copied by the call.
        unsafe { qjs::JS_NewStringLen(ctx.0, self.as_ptr().cast(), self.len() as _) }
    }
}

impl IntoJs for String {
    fn into_js(self, ctx: Ctx) -> qjs::JSValue {
        self.as_str().into_js(ctx)
    }
}

/// Bytes of the kernel (names, paths) as text; what is no UTF-8 becomes U+FFFD.
pub fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl IntoJs for CString {
    fn into_js(self, ctx: Ctx) -> qjs::JSValue {
        text_of(self.as_bytes()).into_js(ctx)
    }
}

/// A Uint8Array over a copy.
impl IntoJs for Vec<u8> {
    fn into_js(self, ctx: Ctx) -> qjs::JSValue {
        // SAFETY: the bytes are copied by the call.
        unsafe { qjs::JS_NewUint8ArrayCopy(ctx.0, self.as_ptr(), self.len() as _) }
    }
}

fn array_into_js<T: IntoJs>(items: impl Iterator<Item = T>, ctx: Ctx) -> qjs::JSValue {
    // SAFETY: the array is ours; JS_DefinePropertyValueUint32 takes ownership of each element.
    unsafe {
        let array = qjs::JS_NewArray(ctx.0);
        for (index, item) in items.enumerate() {
            let element = item.into_js(ctx);
            qjs::JS_DefinePropertyValueUint32(ctx.0, array, index as u32, element, qjs::JS_PROP_C_W_E as i32);
        }
        array
    }
}

macro_rules! arrays_of {
    ($($item:ty),*) => {
        $(impl IntoJs for Vec<$item> {
            fn into_js(self, ctx: Ctx) -> qjs::JSValue {
                array_into_js(self.into_iter(), ctx)
            }
        })*
    };
}
arrays_of!(i32, String, crate::sys::files::DirectoryEntry);

impl IntoJs for [i32; 2] {
    fn into_js(self, ctx: Ctx) -> qjs::JSValue {
        array_into_js(self.into_iter(), ctx)
    }
}

impl<T: IntoJs> IntoJs for Option<T> {
    fn into_js(self, ctx: Ctx) -> qjs::JSValue {
        match self {
            Some(value) => value.into_js(ctx),
            None => qjs::JS_NULL,
        }
    }
}

impl<T: IntoJs> IntoJs for Result<T, Failure> {
    fn into_js(self, ctx: Ctx) -> qjs::JSValue {
        match self {
            Ok(value) => value.into_js(ctx),
            Err(Failure::Errno(errno)) => (-errno).into_js(ctx),
            Err(Failure::Argument(expected)) => super::throw_mismatch(ctx, c"native:sys", c"arguments", expected),
        }
    }
}

impl<T: IntoJs> IntoJs for Checked<T> {
    fn into_js(self, ctx: Ctx) -> qjs::JSValue {
        match self {
            Ok(value) => value.into_js(ctx),
            Err(mismatch) => super::throw_mismatch(ctx, c"native:sys", c"arguments", mismatch.0),
        }
    }
}
