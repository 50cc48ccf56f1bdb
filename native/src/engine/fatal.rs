use std::cell::Cell;

use super::boot::ctx;
use crate::js::{Ctx, FromJs, IntoJs, SingleThread, Text, get_field, qjs};

/// Status of a process that ended itself because its program is wrong (EX_SOFTWARE, sysexits.h).
const EXIT_SOFTWARE: i32 = 70;

/// How many causes of an error are shown.
const MAX_CAUSES: usize = 8;

/// One write(2); what does not fit is lost, because there is nobody to tell.
fn write_to(fd: i32, text: &str) {
    // SAFETY: the bytes are alive for the call.
    unsafe { libc::write(fd, text.as_ptr().cast(), text.len()) };
}

fn program_name() -> String {
    let first = super::arguments().into_iter().next().unwrap_or_default();
    first.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Where last words go besides stderr, which a daemon has on /dev/null; -1: nowhere.
static FATAL_LOG: SingleThread<Cell<i32>> = SingleThread(Cell::new(-1));

pub fn set_fatal_log(fd: i32) {
    FATAL_LOG.0.set(fd);
}

/// Says why and ends with status 70. Not abort(3): in a child of a raw clone3(2) libc's idea of the thread is
/// the parent's, and its SIGABRT would go there.
pub fn die(why: &str) -> ! {
    let message = format!("{}[{}]: {why}", program_name(), std::process::id());
    write_to(2, &format!("{message}\n"));
    if FATAL_LOG.0.get() >= 0 {
        write_to(FATAL_LOG.0.get(), &format!("{{\"level\":\"fatal\",\"msg\":{}}}\n", json_string(&message)));
    }
    // SAFETY: ends the process without destructors.
    unsafe { libc::_exit(EXIT_SOFTWARE) }
}

fn json_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted += "\\n",
            '\0'..' ' => quoted += &format!("\\u{:04x}", character as u32),
            _ => quoted.push(character),
        }
    }
    quoted + "\""
}

/// Dies of the pending exception.
pub fn die_of_exception(what: &str) -> ! {
    // SAFETY: takes the pending exception; the process ends before anybody misses it.
    let exception = unsafe { qjs::JS_GetException(ctx().0) };
    die(&format!("{what}: {}", describe(ctx(), exception)))
}

/// The error with its stack and its causes', whose positions native/build/map-stack.ts maps to TypeScript.
pub fn describe(ctx: Ctx, error: qjs::JSValue) -> String {
    let mut text = String::new();
    // SAFETY: each value is freed after use; the first is borrowed.
    unsafe {
        let mut current = qjs::JS_DupValue(ctx.0, error);
        for _ in 0..MAX_CAUSES {
            text += &string_of(ctx, current);
            if let Ok(stack) = get_field::<Text>(ctx, current, c"stack") {
                text.push('\n');
                text += String::from_utf8_lossy(stack.as_bytes()).trim_end();
            }
            let cause = if qjs::JS_IsObject(current) {
                qjs::JS_GetPropertyStr(ctx.0, current, c"cause".as_ptr())
            } else {
                qjs::JS_UNDEFINED
            };
            qjs::JS_FreeValue(ctx.0, current);
            current = cause;
            if qjs::JS_IsUndefined(cause) || qjs::JS_IsNull(cause) || qjs::JS_IsException(cause) {
                break;
            }
            text += "\ncaused by: ";
        }
        qjs::JS_FreeValue(ctx.0, current);
    }
    text
}

fn string_of(ctx: Ctx, value: qjs::JSValue) -> String {
    // SAFETY: JS_ToString may run JavaScript; its exception is taken and dropped.
    unsafe {
        let string = qjs::JS_ToString(ctx.0, value);
        let text = Text::from_js(ctx, string).map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned());
        qjs::JS_FreeValue(ctx.0, string);
        text.unwrap_or_else(|_| {
            qjs::JS_FreeValue(ctx.0, qjs::JS_GetException(ctx.0));
            "a value without text".into()
        })
    }
}

pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| die(&format!("panic in native code: {panic}"))));
}

/// libc's abort sends SIGABRT to the thread it remembers, which after a raw clone3(2) is the parent's.
/// QuickJS calls it when an assertion fails.
#[unsafe(no_mangle)]
pub extern "C" fn abort() -> ! {
    die("abort in native code")
}

/// `new Error(message)`, with the present JavaScript stack. The constructor, because an error that native code
/// throws gets its stack only when the function that called it unwinds.
pub fn error_here(ctx: Ctx, message: &str) -> qjs::JSValue {
    // SAFETY: values are freed after use; the constructor takes its arguments borrowed.
    unsafe {
        let global = qjs::JS_GetGlobalObject(ctx.0);
        let constructor = qjs::JS_GetPropertyStr(ctx.0, global, c"Error".as_ptr());
        let mut text = message.into_js(ctx);
        let error = qjs::JS_CallConstructor(ctx.0, constructor, 1, &mut text);
        for value in [text, constructor, global] {
            qjs::JS_FreeValue(ctx.0, value);
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::json_string;

    #[test]
    fn last_words_are_one_line_of_json() {
        assert_eq!(json_string("a\"b\\c\nd\u{1}é"), r#""a\"b\\c\nd\u0001é""#);
    }
}
