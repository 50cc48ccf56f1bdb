//! The native half once more, compiled with coverage counters, and what the targets need to call it.
//!
//! The modules are those of native/src by their path, so that nothing there is made public, or built otherwise, for
//! the fuzzers' sake.
#![allow(dead_code, unused_imports, clippy::all)]

#[path = "../../src/engine/mod.rs"]
pub mod engine;
#[path = "../../src/event_loop/mod.rs"]
pub mod event_loop;
#[path = "../../src/heap/mod.rs"]
pub mod heap;
#[path = "../../src/js/mod.rs"]
pub mod js;
#[cfg(target_arch = "x86_64")]
#[path = "../../src/kvm/mod.rs"]
pub mod kvm;
#[path = "../../src/pump/mod.rs"]
pub mod pump;
#[path = "../../src/sys/mod.rs"]
pub mod sys;

pub mod access;
pub mod input;
pub mod script;

#[cfg(feature = "libfuzzer")]
pub use libfuzzer_sys::fuzz_target;

/// Runs the files that are named as arguments.
#[cfg(not(feature = "libfuzzer"))]
#[macro_export]
macro_rules! fuzz_target {
    (|$data:ident: &[u8]| $body:expr) => {
        fn main() {
            for path in std::env::args().skip(1) {
                eprintln!("{path}");
                let bytes = std::fs::read(&path).expect("an input");
                let $data: &[u8] = &bytes;
                $body
            }
        }
    };
}

/// What the linker puts beside the engine in a binary: no bundle here.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
static _binary_bundle_start: u8 = 0;
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
static _binary_bundle_end: u8 = 0;
