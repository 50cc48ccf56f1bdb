use std::collections::BTreeMap;

use super::{TIMERS, enter};
use crate::js::Callback;
use crate::sys::clocks::monotonic_ns;

/// Fires in the order of deadlines, and of setting where those are equal.
type Key = (u64, u32);

pub struct Timers {
    by_deadline: BTreeMap<Key, Callback>,
    deadlines: BTreeMap<u32, u64>,
    last_id: u32,
}

impl Timers {
    pub const fn new() -> Self {
        Timers { by_deadline: BTreeMap::new(), deadlines: BTreeMap::new(), last_id: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }

    /// Nanoseconds until the next one is due; None without timers.
    pub fn until_next(&self, now: u64) -> Option<u64> {
        self.by_deadline.first_key_value().map(|((deadline, _), _)| deadline.saturating_sub(now))
    }

    pub fn forget(&mut self) {
        std::mem::forget(std::mem::take(&mut self.by_deadline));
        self.deadlines.clear();
    }

    fn add(&mut self, deadline: u64, callback: Callback) -> u32 {
        // Ids are taken again only after 2^32 timers; one that still runs is stepped over.
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.deadlines.contains_key(&self.last_id) {
                break;
            }
        }
        self.deadlines.insert(self.last_id, deadline);
        self.by_deadline.insert((deadline, self.last_id), callback);
        self.last_id
    }

    fn remove(&mut self, id: u32) -> Option<Callback> {
        let deadline = self.deadlines.remove(&id)?;
        self.by_deadline.remove(&(deadline, id))
    }
}

pub fn set_timer(delay_ms: f64, callback: Callback) -> u32 {
    // A delay that is no number, negative or beyond 292 years saturates.
    let delay_ns = (delay_ms.max(0.0) * 1e6).min(i64::MAX as f64) as u64;
    TIMERS.0.borrow_mut().add(monotonic_ns().saturating_add(delay_ns), callback)
}

pub fn clear_timer(id: u32) {
    let removed = TIMERS.0.borrow_mut().remove(id);
    drop(removed);
}

/// Fires what is due now; a timer set meanwhile waits for the next turn, so that the fds get theirs.
pub fn run_due() {
    let now = monotonic_ns();
    let due: Vec<u32> = TIMERS.0.borrow().by_deadline.range(..=(now, u32::MAX)).map(|((_, id), _)| *id).collect();
    for id in due {
        let callback = TIMERS.0.borrow_mut().remove(id);
        if let Some(callback) = callback {
            enter(&callback, &mut []);
        }
    }
}
