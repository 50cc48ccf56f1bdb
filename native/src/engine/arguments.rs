use std::cell::Cell;
use std::ffi::CStr;

use crate::js::{SingleThread, text_of};

type Strings = *const *const libc::c_char;

static ARGUMENTS: SingleThread<Cell<(i32, Strings)>> = SingleThread(Cell::new((0, std::ptr::null())));

unsafe extern "C" {
    /// libc's: a NULL-ended array of NUL-ended strings, which nobody here changes.
    pub static environ: Strings;
}

/// Keeps main's arguments: in a static musl binary nobody else does.
pub fn keep_arguments(argc: i32, argv: Strings) {
    ARGUMENTS.0.set((argc, argv));
}

pub fn arguments() -> Vec<String> {
    let (count, start) = ARGUMENTS.0.get();
    (0..count as usize)
        // SAFETY: the kernel gives `count` NUL-ended strings that live as long as the process.
        .map(|index| text_of(unsafe { CStr::from_ptr(*start.add(index)) }.to_bytes()))
        .collect()
}

pub fn environment() -> Vec<String> {
    let mut variables = Vec::new();
    // SAFETY: as environ says.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            variables.push(text_of(CStr::from_ptr(*entry).to_bytes()));
            entry = entry.add(1);
        }
    }
    variables
}
