use std::ffi::CStr;

use super::{Ctx, FromJs, IntoJs, Mismatch, qjs};

/// Defines a field of a new object; takes ownership of the value.
pub fn set_field(ctx: Ctx, object: qjs::JSValue, name: &CStr, value: impl IntoJs) {
    let value = value.into_js(ctx);
    // SAFETY: the object is alive and ours; the call takes ownership of the value.
    unsafe { qjs::JS_DefinePropertyValueStr(ctx.0, object, name.as_ptr(), value, qjs::JS_PROP_C_W_E as i32) };
}

/// Reads a field of a plain object.
pub fn get_field<T: FromJs>(ctx: Ctx, object: qjs::JSValue, name: &CStr) -> Result<T, Mismatch> {
    // SAFETY: the object is borrowed from the caller; the field's value is freed after conversion.
    unsafe {
        if !qjs::JS_IsObject(object) {
            return Err(Mismatch("an object"));
        }
        let value = qjs::JS_GetPropertyStr(ctx.0, object, name.as_ptr());
        let converted = T::from_js(ctx, value);
        qjs::JS_FreeValue(ctx.0, value);
        converted
    }
}

/// A struct that JavaScript receives as a plain object; native/build/generate-dts.ts makes an interface of it.
#[macro_export]
macro_rules! js_output {
    ($(#[$meta:meta])* struct $name:ident { $($(#[$field_meta:meta])* $field:ident as $js:literal : $type:ty),* $(,)? }) => {
        $(#[$meta])*
        pub struct $name { $($(#[$field_meta])* pub $field: $type),* }
        impl $crate::js::IntoJs for $name {
            fn into_js(self, ctx: $crate::js::Ctx) -> $crate::js::qjs::JSValue {
                // SAFETY: the context is alive.
                let object = unsafe { $crate::js::qjs::JS_NewObject(ctx.0) };
                $($crate::js::set_field(ctx, object, $crate::js_name!($js), self.$field);)*
                object
            }
        }
    };
}

/// A struct that JavaScript gives as a plain object.
#[macro_export]
macro_rules! js_input {
    ($(#[$meta:meta])* struct $name:ident { $($(#[$field_meta:meta])* $field:ident as $js:literal : $type:ty),* $(,)? }) => {
        $(#[$meta])*
        pub struct $name { $($(#[$field_meta])* pub $field: $type),* }
        impl $crate::js::FromJs for $name {
            fn from_js(ctx: $crate::js::Ctx, value: $crate::js::qjs::JSValue) -> Result<Self, $crate::js::Mismatch> {
                Ok($name { $($field: $crate::js::get_field(ctx, value, $crate::js_name!($js))?),* })
            }
        }
    };
}

/// A NUL-ended literal.
#[macro_export]
macro_rules! js_name {
    ($js:literal) => {
        match std::ffi::CStr::from_bytes_with_nul(concat!($js, "\0").as_bytes()) {
            Ok(name) => name,
            Err(_) => c"",
        }
    };
}
