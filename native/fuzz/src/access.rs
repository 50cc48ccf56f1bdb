//! Modules that are private where they stand.

#[path = "../../src/engine/archive.rs"]
pub mod archive;
#[path = "../../src/sys/text/sha256.rs"]
pub mod sha256;
