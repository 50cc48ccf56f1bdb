use std::ffi::CStr;

use super::{Ctx, FromJs, Mismatch, qjs};

/// One function of the module `native:sys`.
pub struct Export {
    pub name: &'static CStr,
    pub length: i32,
    pub call: unsafe extern "C" fn(*mut qjs::JSContext, qjs::JSValue, i32, *mut qjs::JSValue) -> qjs::JSValue,
}

/// Converts argument `index`; one that was not given is undefined.
///
/// # Safety
/// `argv` holds `argc` values.
pub unsafe fn read_argument<T: FromJs>(
    ctx: Ctx,
    argc: i32,
    argv: *mut qjs::JSValue,
    index: i32,
) -> Result<T, Mismatch> {
    // SAFETY: index is below argc.
    let value = if index < argc { unsafe { *argv.add(index as usize) } } else { qjs::JS_UNDEFINED };
    T::from_js(ctx, value)
}

/// Throws `TypeError: <function>: <argument> must be <expected>`.
pub fn throw_mismatch(ctx: Ctx, function: &CStr, argument: &CStr, expected: &str) -> qjs::JSValue {
    let expected = std::ffi::CString::new(expected).unwrap_or_default();
    // SAFETY: the format's three strings are NUL-ended.
    unsafe {
        qjs::JS_ThrowTypeError(
            ctx.0,
            c"%s: %s must be %s".as_ptr(),
            function.as_ptr(),
            argument.as_ptr(),
            expected.as_ptr(),
        )
    }
}

/// Turns Rust functions into exports of `native:sys`: each keeps its Rust form and gets an entry in FUNCTIONS.
/// The name for JavaScript stands after `as`; native/build/generate-dts.ts reads signatures and doc comments.
#[macro_export]
macro_rules! sys_functions {
    ($(
        $(#[$meta:meta])*
        fn $name:ident as $js:literal ( $($argument:ident : $type:ty),* $(,)? ) $(-> $result:ty)? $body:block
    )*) => {
        $(
            $(#[$meta])*
            #[allow(clippy::too_many_arguments)]
            pub fn $name($($argument: $type),*) $(-> $result)? $body
        )*

        pub const FUNCTIONS: &[$crate::js::Export] = &[$({
            // For functions that do not come back.
            #[allow(unreachable_code)]
            unsafe extern "C" fn call(
                ctx: *mut $crate::js::qjs::JSContext,
                _this: $crate::js::qjs::JSValue,
                _argc: i32,
                _argv: *mut $crate::js::qjs::JSValue,
            ) -> $crate::js::qjs::JSValue {
                let ctx = $crate::js::Ctx(ctx);
                let mut _index = 0;
                $(
                    // SAFETY: QuickJS gives _argc values at _argv.
                    let $argument = match unsafe { $crate::js::read_argument::<$type>(ctx, _argc, _argv, _index) } {
                        Ok(value) => value,
                        Err(mismatch) => return $crate::js::throw_mismatch(
                            ctx, JS_NAME, to_c(concat!(stringify!($argument), "\0")), mismatch.0),
                    };
                    _index += 1;
                )*
                $crate::js::IntoJs::into_js($name($($argument),*), ctx)
            }
            #[allow(dead_code)]
            const fn to_c(text: &'static str) -> &'static std::ffi::CStr {
                match std::ffi::CStr::from_bytes_with_nul(text.as_bytes()) {
                    Ok(text) => text,
                    Err(_) => c"",
                }
            }
            const JS_NAME: &std::ffi::CStr = to_c(concat!($js, "\0"));
            $crate::js::Export {
                name: JS_NAME,
                length: <[&str]>::len(&[$(stringify!($argument)),*]) as i32,
                call,
            }
        }),*];
    };
}
