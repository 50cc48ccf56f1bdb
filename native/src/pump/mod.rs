pub fn any() -> bool { false }
pub fn any_ready() -> bool { false }
pub fn run_ready() {}
pub fn wake(_id: u32) {}
pub fn forget_parent() {}
pub fn own_fds() -> Vec<u32> { Vec::new() }
