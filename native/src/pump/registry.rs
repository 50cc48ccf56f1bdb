use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use super::side::Side;
use super::transfer::{Plan, Pump, Summary};
use crate::event_loop::Token;
use crate::js::SingleThread;

/// Called once with the end, from the loop.
type Done = Box<dyn FnOnce(Summary)>;

struct Entry {
    pump: Pump,
    done: Done,
}

struct Pumps {
    by_id: BTreeMap<u32, Entry>,
    /// Pumps that can move bytes without another event.
    ready: VecDeque<u32>,
    /// Ends that were not told yet: the loop tells them, so that `done` never runs inside another callback.
    ended: VecDeque<(Done, Summary)>,
    last_id: u32,
}

static PUMPS: SingleThread<RefCell<Pumps>> = SingleThread(RefCell::new(Pumps {
    by_id: BTreeMap::new(),
    ready: VecDeque::new(),
    ended: VecDeque::new(),
    last_id: 0,
}));

impl Pumps {
    fn mark_ready(&mut self, id: u32) {
        if !self.ready.contains(&id) {
            self.ready.push_back(id);
        }
    }

    fn end(&mut self, id: u32, summary: Summary) {
        if let Some(mut entry) = self.by_id.remove(&id) {
            entry.pump.close(summary.reason);
            self.ended.push_back((entry.done, summary));
        }
    }

    fn free_id(&mut self) -> u32 {
        loop {
            // 31 bits: an id is told apart from a negative errno.
            self.last_id = self.last_id % (i32::MAX as u32) + 1;
            if !self.by_id.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }
}

/// Borrows the fds. Err: errno.
pub fn start(source: i32, sink: i32, plan: Plan, done: Done) -> Result<u32, i32> {
    let mut pumps = PUMPS.0.borrow_mut();
    let id = pumps.free_id();
    let mut source = Side::duplicate(source)?;
    let mut sink = match Side::duplicate(sink) {
        Ok(sink) => sink,
        Err(errno) => {
            source.close();
            return Err(errno);
        }
    };
    let registered = source
        .register(libc::EPOLLIN | libc::EPOLLRDHUP, Token::PumpSource { id })
        .and_then(|()| sink.register(libc::EPOLLOUT, Token::PumpSink { id }));
    if let Err(errno) = registered {
        source.close();
        sink.close();
        return Err(errno);
    }
    let pump = Pump::new(source, sink, plan);
    // A total of 0 ends now; files are ready without an event.
    pumps.mark_ready(id);
    pumps.by_id.insert(id, Entry { pump, done });
    Ok(id)
}

/// An event of a pump's fd. One of a pump that ended meanwhile is dropped.
pub fn wake(token: Token, events: u32) {
    let mut pumps = PUMPS.0.borrow_mut();
    let (id, of_sink) = match token {
        Token::PumpSource { id } => (id, false),
        Token::PumpSink { id } => (id, true),
        Token::Watch { .. } => return,
    };
    let Some(entry) = pumps.by_id.get_mut(&id) else { return };
    if !of_sink {
        entry.pump.source_event();
    } else if let Some(summary) = entry.pump.sink_event(events) {
        pumps.end(id, summary);
        return;
    }
    pumps.mark_ready(id);
}

/// Runs each ready pump once, then tells the ends.
pub fn run_ready() {
    let turn = std::mem::take(&mut PUMPS.0.borrow_mut().ready);
    for id in turn {
        let mut pumps = PUMPS.0.borrow_mut();
        let Some(entry) = pumps.by_id.get_mut(&id) else { continue };
        match entry.pump.run() {
            Some(summary) => pumps.end(id, summary),
            None if entry.pump.can_run() => pumps.mark_ready(id),
            None => {}
        }
    }
    loop {
        let next = PUMPS.0.borrow_mut().ended.pop_front();
        let Some((done, summary)) = next else { return };
        done(summary);
    }
}

/// Bytes delivered by a running pump.
pub fn delivered(id: u32) -> Option<u64> {
    PUMPS.0.borrow().by_id.get(&id).map(|entry| entry.pump.delivered)
}

/// False: no such pump.
pub fn set_total(id: u32, total: u64) -> bool {
    let mut pumps = PUMPS.0.borrow_mut();
    let Some(entry) = pumps.by_id.get_mut(&id) else { return false };
    entry.pump.set_total(total);
    pumps.mark_ready(id);
    true
}

/// False: no such pump.
pub fn stop(id: u32) -> bool {
    let mut pumps = PUMPS.0.borrow_mut();
    let Some(entry) = pumps.by_id.get_mut(&id) else { return false };
    let summary = entry.pump.stop();
    pumps.end(id, summary);
    true
}

pub fn any() -> bool {
    let pumps = PUMPS.0.borrow();
    !pumps.by_id.is_empty() || !pumps.ended.is_empty()
}

/// Whether `run_ready` has something to do.
pub fn any_ready() -> bool {
    let pumps = PUMPS.0.borrow();
    !pumps.ready.is_empty() || !pumps.ended.is_empty()
}

/// In a forked child: the parent's pumps are not ours, nor are their duplicates. Closing them touches only our
/// table; the parent's epoll instance is left alone.
pub fn forget_parent() {
    let mut pumps = PUMPS.0.borrow_mut();
    for entry in pumps.by_id.values() {
        for fd in [entry.pump.source.fd, entry.pump.sink.fd] {
            // SAFETY: duplicates that this process inherited, closed once.
            unsafe { libc::close(fd) };
        }
    }
    std::mem::forget(std::mem::take(&mut pumps.by_id));
    std::mem::forget(std::mem::take(&mut pumps.ended));
    pumps.ready.clear();
}

pub fn own_fds() -> Vec<u32> {
    let pumps = PUMPS.0.borrow();
    let sides = pumps.by_id.values().flat_map(|entry| [entry.pump.source.fd, entry.pump.sink.fd]);
    sides.filter_map(|fd| u32::try_from(fd).ok()).collect()
}
