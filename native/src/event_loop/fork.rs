use super::{EPOLL, TIMERS, WATCHES};
use crate::pump;

/// In a forked child: a loop of its own, with nothing in it.
///
/// The child's epoll fd is the parent's epoll instance: it is closed, which touches nothing, and never used
/// again (EPOLL_CTL_DEL would remove the parent's watch). Watches, timers and pumps of the parent are forgotten.
/// A callback of the parent's batch that is still to come finds its watch gone.
pub fn forget_parent() {
    let epoll = EPOLL.0.replace(-1);
    if epoll >= 0 {
        // SAFETY: our own fd, closed once.
        unsafe { libc::close(epoll) };
    }
    WATCHES.0.borrow_mut().forget();
    TIMERS.0.borrow_mut().forget();
    pump::forget_parent();
    crate::engine::disarm_watchdog();
}

/// The fds that belong to the loop, in ascending order: close_range(2) of the program leaves them out.
pub fn own_fds() -> Vec<u32> {
    let mut fds: Vec<u32> = u32::try_from(EPOLL.0.get()).into_iter().chain(pump::own_fds()).collect();
    fds.sort_unstable();
    fds
}
