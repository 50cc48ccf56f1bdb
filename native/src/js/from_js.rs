use std::ffi::CStr;
use std::ops::Deref;

use super::{Callback, Ctx, Failure, qjs};

/// What the function expected instead of the value it was given.
#[derive(Debug, Clone, Copy)]
pub struct Mismatch(pub &'static str);

/// A typed argument. No implementation runs JavaScript, so a borrowed buffer stays where it is.
pub trait FromJs: Sized {
    fn from_js(ctx: Ctx, value: qjs::JSValue) -> Result<Self, Mismatch>;
}

/// Every integer that a double holds exactly.
const MAX_SAFE: f64 = 9_007_199_254_740_991.0;

fn integer(value: qjs::JSValue) -> Option<i64> {
    // SAFETY: the tag says which member of the union is valid.
    unsafe {
        match qjs::JS_VALUE_GET_NORM_TAG(value) {
            qjs::JS_TAG_INT => Some(qjs::JS_VALUE_GET_INT(value).into()),
            qjs::JS_TAG_FLOAT64 => {
                let number = qjs::JS_VALUE_GET_FLOAT64(value);
                (number.fract() == 0.0 && number.abs() <= MAX_SAFE).then_some(number as i64)
            }
            _ => None,
        }
    }
}

/// 32-bit words are taken signed or unsigned: flags with bit 31 come as numbers above 2^31 or below 0.
fn word32(value: qjs::JSValue) -> Result<i64, Mismatch> {
    integer(value).filter(|number| (-(1 << 31)..1 << 32).contains(number)).ok_or(Mismatch("an integer of 32 bits"))
}

impl FromJs for i32 {
    fn from_js(_: Ctx, value: qjs::JSValue) -> Result<Self, Mismatch> {
        Ok(word32(value)? as i32)
    }
}

impl FromJs for u32 {
    fn from_js(_: Ctx, value: qjs::JSValue) -> Result<Self, Mismatch> {
        Ok(word32(value)? as u32)
    }
}

impl FromJs for i64 {
    fn from_js(_: Ctx, value: qjs::JSValue) -> Result<Self, Mismatch> {
        integer(value).ok_or(Mismatch("an integer"))
    }
}

impl FromJs for usize {
    fn from_js(_: Ctx, value: qjs::JSValue) -> Result<Self, Mismatch> {
        integer(value)
            .and_then(|number| usize::try_from(number).ok())
            .ok_or(Mismatch("an integer that is not negative"))
    }
}

impl FromJs for f64 {
    fn from_js(_: Ctx, value: qjs::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: the tag says which member of the union is valid.
        unsafe {
            match qjs::JS_VALUE_GET_NORM_TAG(value) {
                qjs::JS_TAG_INT => Ok(qjs::JS_VALUE_GET_INT(value).into()),
                qjs::JS_TAG_FLOAT64 => Ok(qjs::JS_VALUE_GET_FLOAT64(value)),
                _ => Err(Mismatch("a number")),
            }
        }
    }
}

impl FromJs for bool {
    fn from_js(_: Ctx, value: qjs::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: read as a boolean only when the tag says so.
        unsafe { if qjs::JS_IsBool(value) { Ok(qjs::JS_VALUE_GET_BOOL(value)) } else { Err(Mismatch("a boolean")) } }
    }
}

/// A bigint's low 64 bits; a number that is not negative is taken too.
impl FromJs for u64 {
    fn from_js(ctx: Ctx, value: qjs::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: JS_ToBigInt64 runs no JavaScript for a value that is a bigint already.
        unsafe {
            if qjs::JS_IsBigInt(value) {
                let mut word = 0;
                qjs::JS_ToBigInt64(ctx.0, &mut word, value);
                return Ok(word as u64);
            }
        }
        integer(value).and_then(|number| u64::try_from(number).ok()).ok_or(Mismatch("a bigint"))
    }
}

/// A JavaScript string as UTF-8, alive for the call.
pub struct Text {
    ctx: Ctx,
    bytes: *const libc::c_char,
    length: usize,
}

impl Text {
    /// Without the NUL that ends it; NULs inside are possible here only.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: JS_ToCStringLen gave `length` bytes at `bytes`, alive until Drop.
        unsafe { std::slice::from_raw_parts(self.bytes.cast(), self.length) }
    }

    /// The string up to its first NUL, as the kernel would read it; refuses one with a NUL inside.
    pub fn checked(&self) -> Result<&CStr, Failure> {
        // SAFETY: QuickJS ends the bytes with a NUL.
        let text = unsafe { CStr::from_ptr(self.bytes) };
        if text.count_bytes() == self.length { Ok(text) } else { Err(Failure::Argument("a string without NUL")) }
    }

    pub fn as_ptr(&self) -> *const libc::c_char {
        self.bytes
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        // SAFETY: `bytes` came from JS_ToCStringLen of this context and is freed once.
        unsafe { qjs::JS_FreeCString(self.ctx.0, self.bytes) }
    }
}

impl FromJs for Text {
    fn from_js(ctx: Ctx, value: qjs::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: a value that is a string already is encoded without running JavaScript.
        unsafe {
            if !qjs::JS_IsString(value) {
                return Err(Mismatch("a string"));
            }
            let mut length = 0;
            let bytes = qjs::JS_ToCStringLen(ctx.0, &mut length, value);
            if bytes.is_null() {
                qjs::JS_FreeValue(ctx.0, qjs::JS_GetException(ctx.0));
                return Err(Mismatch("a string that fits into memory"));
            }
            Ok(Text { ctx, bytes, length })
        }
    }
}

/// The bytes of a Uint8Array, borrowed for the call.
pub struct Buffer {
    start: *mut u8,
    length: usize,
}

impl Buffer {
    pub fn range(&mut self, offset: usize, length: usize) -> Result<&mut [u8], Failure> {
        self.get_mut(offset..offset.saturating_add(length)).ok_or(Failure::Argument("a range inside the buffer"))
    }
}

impl Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: start and length came from the engine in this call, and no JavaScript ran since.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl std::ops::DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in deref; two arguments over one ArrayBuffer are never written in one call.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.length) }
    }
}

impl FromJs for Buffer {
    fn from_js(ctx: Ctx, value: qjs::JSValue) -> Result<Self, Mismatch> {
        let mut length = 0;
        // SAFETY: JS_GetUint8Array checks the class and throws when the buffer is detached.
        let start = unsafe { qjs::JS_GetUint8Array(ctx.0, &mut length, value) };
        if start.is_null() {
            // SAFETY: it threw; the pending exception is replaced by our own.
            unsafe { qjs::JS_FreeValue(ctx.0, qjs::JS_GetException(ctx.0)) };
            return Err(Mismatch("a Uint8Array"));
        }
        Ok(Buffer { start, length: length as usize })
    }
}

impl FromJs for Callback {
    fn from_js(ctx: Ctx, value: qjs::JSValue) -> Result<Self, Mismatch> {
        Callback::new(ctx, value).ok_or(Mismatch("a function"))
    }
}

impl<T: FromJs> FromJs for Option<T> {
    fn from_js(ctx: Ctx, value: qjs::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: reads the tag.
        if unsafe { qjs::JS_IsNull(value) || qjs::JS_IsUndefined(value) } {
            return Ok(None);
        }
        T::from_js(ctx, value).map(Some)
    }
}

impl<T: FromJs> FromJs for Vec<T> {
    fn from_js(ctx: Ctx, value: qjs::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: elements of an array are read by index and freed after conversion.
        unsafe {
            if !qjs::JS_IsArray(value) {
                return Err(Mismatch("an array"));
            }
            let mut length = 0;
            qjs::JS_GetLength(ctx.0, value, &mut length);
            (0..length)
                .map(|index| {
                    let element = qjs::JS_GetPropertyInt64(ctx.0, value, index);
                    let converted = T::from_js(ctx, element);
                    qjs::JS_FreeValue(ctx.0, element);
                    converted
                })
                .collect()
        }
    }
}

/// One machine word of a generic system call: a number, or a pointer to a string or buffer.
pub enum Word {
    Number(i64),
    Text(Text),
    Buffer(Buffer),
}

impl Word {
    pub fn as_raw(&self) -> i64 {
        match self {
            Word::Number(number) => *number,
            Word::Text(text) => text.as_ptr() as i64,
            Word::Buffer(buffer) => buffer.as_ptr() as i64,
        }
    }
}

impl FromJs for Word {
    fn from_js(ctx: Ctx, value: qjs::JSValue) -> Result<Self, Mismatch> {
        // SAFETY: reads tags.
        unsafe {
            if qjs::JS_IsNull(value) || qjs::JS_IsUndefined(value) {
                return Ok(Word::Number(0));
            }
            if qjs::JS_IsString(value) {
                return Text::from_js(ctx, value).map(Word::Text);
            }
            if qjs::JS_IsBigInt(value) {
                return u64::from_js(ctx, value).map(|word| Word::Number(word as i64));
            }
            if qjs::JS_IsObject(value) {
                return Buffer::from_js(ctx, value).map(Word::Buffer);
            }
        }
        integer(value).map(Word::Number).ok_or(Mismatch("a number, bigint, string, Uint8Array or null"))
    }
}
