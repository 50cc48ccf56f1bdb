//! Bytes from one fd to another, natively. JavaScript learns of the end, never of a chunk.
//!
//! ```text
//!   source ──ready──▶ splice, or read ─▶ pending ─▶ write ──ready──▶ sink
//! ```
//! Nothing is read before the sink can take it (back-pressure), except what a write left over. Both ends are
//! duplicates, watched edge-triggered; a pump gives way to the loop after a budget of bytes.

mod registry;
mod side;
mod transfer;

pub use registry::{any, any_ready, delivered, forget_parent, own_fds, run_ready, set_total, start, stop, wake};
pub use transfer::{Plan, Reason, Summary};
