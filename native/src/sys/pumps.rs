//! Pump: bytes from one fd to another, natively (splice where both allow it)
pub const FUNCTIONS: &[crate::js::Export] = &[];
