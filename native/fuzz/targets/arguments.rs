//! Functions of `native:sys` with any arguments: they answer, or throw a TypeError; nothing is read or written outside.
#![cfg_attr(feature = "libfuzzer", no_main)]

use kata_ts_native_fuzz::input::Input;
use kata_ts_native_fuzz::js::qjs::{self, JSValue};
use kata_ts_native_fuzz::script;
use kata_ts_native_fuzz::sys::{files, messages, sockets, stat, text};
use kata_ts_native_fuzz::fuzz_target;

/// Those that take a descriptor first; it is always one that is not open. None opens a path or changes the process.
const OF_DESCRIPTOR: &[&str] = &[
    "read", "write", "pread", "pwrite", "ftruncate", "flock", "send", "recv", "sendFds", "recvFds", "bindUnix", "connectUnix", "bindVsock",
    "connectVsock", "bindInet", "connectInet", "bindNetlink", "listen", "accept4", "getsockoptInt", "setsockoptInt", "getPeerCred", "fchmod",
];
const OF_BYTES: &[&str] = &["utf8Encode", "utf8Decode", "sha256"];

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mut arguments = Vec::new();
    let name = if input.flag() { input.pick(OF_BYTES) } else { input.pick(OF_DESCRIPTOR) };
    if OF_DESCRIPTOR.contains(&name) {
        arguments.push(script::number(-1.0));
    }
    while !input.is_empty() && arguments.len() < 6 {
        arguments.push(value(&mut input, 2));
    }
    let tables = [files::FUNCTIONS, messages::FUNCTIONS, sockets::FUNCTIONS, stat::FUNCTIONS, text::FUNCTIONS];
    if let Some(result) = script::call(&tables, name, arguments) {
        script::free(result);
    }
});

fn value(input: &mut Input, depth: usize) -> JSValue {
    let ctx = script::context();
    // SAFETY: values are made and handed on once.
    unsafe {
        match input.byte() % 12 {
            0 => qjs::JS_UNDEFINED,
            1 => qjs::JS_NULL,
            2 => qjs::JS_TRUE,
            3 => qjs::JS_MKVAL(qjs::JS_TAG_INT, input.word() as i32),
            4 => script::number(f64::from_bits(input.word())),
            5 => script::number(input.pick(&[0.0, -0.0, 1e300, -1.0, 4294967296.0, 9007199254740992.0, f64::NAN, f64::INFINITY, 0.5])),
            6 => qjs::JS_NewBigUint64(ctx.0, input.word()),
            7 => {
                let some = input.some();
                qjs::JS_NewStringLen(ctx.0, some.as_ptr().cast(), some.len() as _)
            }
            8 => {
                let units: Vec<u16> = input.some().iter().map(|byte| 0xd7f0 + u16::from(*byte)).collect();
                script::string16(&units)
            }
            9 => script::bytes(input.some()),
            10 if depth > 0 => {
                let array = qjs::JS_NewArray(ctx.0);
                for index in 0..u32::from(input.byte() % 5) {
                    qjs::JS_DefinePropertyValueUint32(ctx.0, array, index, value(input, depth - 1), qjs::JS_PROP_C_W_E as i32);
                }
                array
            }
            _ => qjs::JS_NewObject(ctx.0),
        }
    }
}
