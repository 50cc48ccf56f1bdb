//! The native half of kata-ts: mechanism only. Every decision is TypeScript's.
//!
//! A static library with two entries: `engine_main` runs the bytecode bundle that the linker put beside it,
//! `compile_main` makes such bytecode at build time. native/README.md tells how they become a binary.

mod engine;
mod event_loop;
mod heap;
mod js;
#[cfg(target_arch = "x86_64")]
mod kvm;
mod pump;
mod sys;
