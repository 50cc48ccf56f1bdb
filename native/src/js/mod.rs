//! The narrow bridge to QuickJS-ng: typed arguments and results, so that no other file handles raw values.

mod callback;
mod export;
mod from_js;
mod into_js;
mod object;

pub use callback::Callback;
pub use export::{Export, read_argument, throw_mismatch};
pub use from_js::{Buffer, FromJs, Mismatch, Text, Word};
pub use into_js::{BigWord, IntoJs, text_of};
pub use object::{get_field, set_field};
pub use rquickjs_sys as qjs;

/// The JavaScript context. There is one in a process, and one thread.
#[derive(Clone, Copy)]
pub struct Ctx(pub *mut qjs::JSContext);

/// Why a native function did not do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The call's errno, positive; JavaScript sees it negative.
    Errno(i32),
    /// The caller's arguments are wrong: a TypeError.
    Argument(&'static str),
}

/// What a native function gives: data or a number, or a failure.
pub type Outcome<T = i64> = Result<T, Failure>;

/// What a function gives that fails only by its arguments: a TypeError.
pub type Checked<T> = Result<T, Mismatch>;

impl From<Mismatch> for Failure {
    fn from(mismatch: Mismatch) -> Self {
        Failure::Argument(mismatch.0)
    }
}

/// A value that only the process's single thread touches.
pub struct SingleThread<T>(pub T);

// SAFETY: the process never starts a thread (facts/runtime.md, pitfall 4), so nothing is shared.
unsafe impl<T> Sync for SingleThread<T> {}
