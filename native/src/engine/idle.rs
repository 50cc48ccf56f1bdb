//! A process that is there for its pid alone: no engine, no heap, nothing that costs memory.

use std::ffi::CStr;

/// argv[0] of such a process: `kata-ts-task <container id>`.
const NAME: &CStr = c"kata-ts-task";

/// Whether this process was started to be one.
pub fn is_asked(argc: i32, argv: *const *const libc::c_char) -> bool {
    // SAFETY: the kernel gives `argc` NUL-ended strings.
    argc > 0 && unsafe { CStr::from_ptr(*argv) } == NAME
}

/// Waits for a signal to end it. The name of the file it was started from (/proc/self/exe) says nothing in a process list.
pub fn idle() -> ! {
    // SAFETY: the name is NUL-ended; pause takes nothing.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, NAME.as_ptr());
        loop {
            libc::pause();
        }
    }
}
