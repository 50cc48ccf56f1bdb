//! KVM trial
pub const FUNCTIONS: &[crate::js::Export] = &[];
