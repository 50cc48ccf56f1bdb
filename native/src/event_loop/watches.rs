use std::collections::BTreeMap;

use super::{MAX_SERIAL, Token, WATCHES, control};
use crate::js::{Callback, Failure, Outcome};

struct Watch {
    serial: u32,
    callback: Callback,
    referenced: bool,
}

pub struct Watches {
    by_fd: BTreeMap<i32, Watch>,
    last_serial: u32,
}

impl Watches {
    pub const fn new() -> Self {
        Watches { by_fd: BTreeMap::new(), last_serial: 0 }
    }

    pub fn any_referenced(&self) -> bool {
        self.by_fd.values().any(|watch| watch.referenced)
    }

    pub fn callback(&self, fd: i32, serial: u32) -> Option<Callback> {
        self.by_fd.get(&fd).filter(|watch| watch.serial == serial).map(|watch| watch.callback.clone())
    }

    /// Drops all watches without freeing what they hold: a child that is about to execve should not copy pages for that.
    pub fn forget(&mut self) {
        std::mem::forget(std::mem::take(&mut self.by_fd));
    }
}

pub fn watch(fd: i32, events: u32, callback: Callback) -> Outcome {
    let mut watches = WATCHES.0.borrow_mut();
    let serial = (watches.last_serial + 1) & MAX_SERIAL;
    control(libc::EPOLL_CTL_ADD, fd, events, Token::Watch { fd, serial }).map_err(Failure::Errno)?;
    watches.last_serial = serial;
    // The kernel accepted the fd, so an entry under its number is of an fd that was closed without unwatch.
    let stale = watches.by_fd.insert(fd, Watch { serial, callback, referenced: true });
    drop(watches);
    drop(stale);
    Ok(0)
}

pub fn rewatch(fd: i32, events: u32) -> Outcome {
    let watches = WATCHES.0.borrow();
    let watch = watches.by_fd.get(&fd).ok_or(Failure::Errno(libc::ENOENT))?;
    control(libc::EPOLL_CTL_MOD, fd, events, Token::Watch { fd, serial: watch.serial }).map_err(Failure::Errno)?;
    Ok(0)
}

pub fn unwatch(fd: i32) -> Outcome {
    let removed = WATCHES.0.borrow_mut().by_fd.remove(&fd);
    if removed.is_none() {
        return Err(Failure::Errno(libc::ENOENT));
    }
    control(libc::EPOLL_CTL_DEL, fd, 0, Token::Watch { fd, serial: 0 }).map_err(Failure::Errno)?;
    Ok(0)
}

pub fn unref(fd: i32) {
    if let Some(watch) = WATCHES.0.borrow_mut().by_fd.get_mut(&fd) {
        watch.referenced = false;
    }
}
