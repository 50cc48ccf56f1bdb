use std::cell::RefCell;

use super::side::{Kind, Side, Stall};
use crate::event_loop::errno;
use crate::js::SingleThread;

/// What the caller asked for.
pub struct Plan {
    pub total: Option<u64>,
    pub chunk: usize,
    pub shutdown_sink: bool,
    pub discard_on_sink_error: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Eof,
    Total,
    Source(i32),
    Sink(i32),
    Stopped,
}

/// How a pump ended.
#[derive(Debug, Clone, Copy)]
pub struct Summary {
    pub reason: Reason,
    pub delivered: u64,
    pub discarded: u64,
}

/// What one attempt to move bytes came to.
enum Moved {
    /// 0: a flag changed; look again.
    Bytes(u64),
    /// One side is not ready.
    Waiting,
    End(Reason),
}

/// Bytes a pump may move before the loop looks at other fds.
const BUDGET: u64 = 1 << 20;
/// Largest read at once; also the size of the buffer that all pumps share.
const SCRATCH: usize = 64 * 1024;
/// Largest splice at once: more than a pipe holds unless somebody enlarged it to the usual limit.
const SPLICE_MAX: usize = 1 << 20;

static SCRATCH_BYTES: SingleThread<RefCell<Vec<u8>>> = SingleThread(RefCell::new(Vec::new()));

pub struct Pump {
    pub source: Side,
    pub sink: Side,
    plan: Plan,
    /// Read from the source, not taken by the sink yet: at most one chunk.
    pending: Vec<u8>,
    splicing: bool,
    source_ended: bool,
    sink_is_gone: bool,
    pub delivered: u64,
    discarded: u64,
}

impl Pump {
    pub fn new(source: Side, sink: Side, plan: Plan) -> Self {
        let a_pipe = source.kind == Kind::Pipe || sink.kind == Kind::Pipe;
        Pump {
            splicing: a_pipe && source.splices() && sink.splices(),
            source,
            sink,
            plan,
            pending: Vec::new(),
            source_ended: false,
            sink_is_gone: false,
            delivered: 0,
            discarded: 0,
        }
    }

    pub fn set_total(&mut self, total: u64) {
        self.plan.total = Some(total);
    }

    pub fn source_event(&mut self) {
        self.source.ready = true;
    }

    /// EPOLLERR on a pipe: no reader. EPOLLHUP or EPOLLERR on a socket or terminal: closed both ways. Told at once,
    /// because a source that stays silent would never find out.
    pub fn sink_event(&mut self, events: u32) -> Option<Summary> {
        self.sink.ready = true;
        let fatal = if self.sink.kind == Kind::Pipe { libc::EPOLLERR } else { libc::EPOLLERR | libc::EPOLLHUP };
        if events & fatal as u32 == 0 || self.sink_is_gone {
            return None;
        }
        let error = self.sink.take_error();
        self.lose_sink(error).map(|reason| self.summary(reason))
    }

    /// Moves until a side is not ready, the budget is used up (`None`, and `can_run`), or the end.
    pub fn run(&mut self) -> Option<Summary> {
        let mut budget = BUDGET;
        loop {
            match self.advance() {
                Moved::Bytes(count) if count >= budget => return None,
                Moved::Bytes(count) => budget -= count,
                Moved::Waiting => return None,
                Moved::End(reason) => return Some(self.summary(reason)),
            }
        }
    }

    /// Whether `run` has something to do without another event.
    pub fn can_run(&self) -> bool {
        if self.pending.is_empty() && (self.remaining() == 0 || self.source_ended) {
            return true;
        }
        (!self.pending.is_empty() || self.source.ready) && (self.sink.ready || self.sink_is_gone)
    }

    /// One last try to deliver what was read already.
    pub fn stop(&mut self) -> Summary {
        if !self.pending.is_empty() {
            self.flush();
        }
        self.discarded += self.pending.len() as u64;
        self.summary(Reason::Stopped)
    }

    pub fn close(&mut self, reason: Reason) {
        if self.plan.shutdown_sink && matches!(reason, Reason::Eof | Reason::Total) {
            // SAFETY: takes no pointers; what is no socket says ENOTSOCK, which nobody needs.
            unsafe { libc::shutdown(self.sink.fd, libc::SHUT_WR) };
        }
        self.source.close();
        self.sink.close();
    }

    fn summary(&self, reason: Reason) -> Summary {
        Summary { reason, delivered: self.delivered, discarded: self.discarded }
    }

    /// Bytes still to be taken from the source.
    fn remaining(&self) -> u64 {
        let taken = self.delivered + self.discarded + self.pending.len() as u64;
        self.plan.total.map_or(u64::MAX, |total| total.saturating_sub(taken))
    }

    fn advance(&mut self) -> Moved {
        if !self.pending.is_empty() {
            return if self.sink.ready || self.sink_is_gone { self.flush() } else { Moved::Waiting };
        }
        if self.remaining() == 0 {
            return Moved::End(Reason::Total);
        }
        if self.source_ended {
            return Moved::End(Reason::Eof);
        }
        if !self.source.ready {
            return Moved::Waiting;
        }
        if !self.sink.ready && !self.sink_is_gone {
            // Everything was delivered: a sink that is full does not delay the end.
            return if self.source.is_at_end() { Moved::End(Reason::Eof) } else { Moved::Waiting };
        }
        if self.splicing && !self.sink_is_gone { self.splice() } else { self.read() }
    }

    fn splice(&mut self) -> Moved {
        let length = self.remaining().min(self.plan.chunk.min(SPLICE_MAX) as u64) as usize;
        let flags = libc::SPLICE_F_NONBLOCK | libc::SPLICE_F_MOVE;
        let null = std::ptr::null_mut();
        loop {
            // SAFETY: no offsets are given; both fds are ours.
            let moved = unsafe { libc::splice(self.source.fd, null, self.sink.fd, null, length, flags) };
            if moved > 0 {
                self.delivered += moved as u64;
                return Moved::Bytes(moved as u64);
            }
            if moved == 0 {
                self.source_ended = true;
                return Moved::Bytes(0);
            }
            match errno() {
                libc::EINTR => {}
                libc::EAGAIN => return self.splice_waits(),
                libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP => {
                    self.splicing = false;
                    return Moved::Bytes(0);
                }
                error => return self.splice_failed(error),
            }
        }
    }

    /// splice(2) does not say which side made it wait. Where poll(2) finds both ready (a socket between two
    /// thresholds), reading and writing tells them apart.
    fn splice_waits(&mut self) -> Moved {
        self.source.ready = self.source.always_ready || self.source.polls(libc::POLLIN);
        self.sink.ready = self.sink.always_ready || self.sink.polls(libc::POLLOUT);
        if self.source.ready && self.sink.ready { self.read() } else { Moved::Bytes(0) }
    }

    /// Whose error it is: one side is a pipe, and a pipe fails in one way only, as a sink without reader.
    fn splice_failed(&mut self, error: i32) -> Moved {
        let of_sink = self.source.kind == Kind::Pipe || error == libc::EPIPE;
        if of_sink { self.lost(error) } else { Moved::End(Reason::Source(error)) }
    }

    fn read(&mut self) -> Moved {
        let mut scratch = SCRATCH_BYTES.0.borrow_mut();
        scratch.resize(SCRATCH, 0);
        let room = self.remaining().min(self.plan.chunk.min(SCRATCH) as u64) as usize;
        let bytes = &mut scratch[..room];
        match self.source.read(bytes) {
            Ok(0) => {
                self.source_ended = true;
                Moved::Bytes(0)
            }
            Ok(got) => self.write_or_keep(&bytes[..got]),
            Err(Stall::Again) => {
                self.source.ready = false;
                Moved::Bytes(0)
            }
            Err(Stall::Failed(error)) => Moved::End(Reason::Source(error)),
        }
    }

    /// Straight from the shared buffer; only what the sink does not take is copied.
    fn write_or_keep(&mut self, bytes: &[u8]) -> Moved {
        if self.sink_is_gone {
            self.discarded += bytes.len() as u64;
            return Moved::Bytes(bytes.len() as u64);
        }
        match self.sink.write(bytes) {
            Ok(count) => {
                self.delivered += count as u64;
                self.pending.extend_from_slice(&bytes[count..]);
                Moved::Bytes(count as u64)
            }
            Err(Stall::Again) => {
                self.pending.extend_from_slice(bytes);
                self.sink.ready = false;
                Moved::Bytes(0)
            }
            Err(Stall::Failed(error)) => {
                self.pending.extend_from_slice(bytes);
                self.lost(error)
            }
        }
    }

    /// Writes what is pending.
    fn flush(&mut self) -> Moved {
        let pending = std::mem::take(&mut self.pending);
        self.write_or_keep(&pending)
    }

    fn lost(&mut self, error: i32) -> Moved {
        match self.lose_sink(error) {
            Some(reason) => Moved::End(reason),
            None => Moved::Bytes(0),
        }
    }

    /// The sink is gone: the end, or from now on everything is discarded.
    fn lose_sink(&mut self, error: i32) -> Option<Reason> {
        self.sink_is_gone = true;
        self.discarded += self.pending.len() as u64;
        self.pending = Vec::new();
        (!self.plan.discard_on_sink_error).then_some(Reason::Sink(error))
    }
}
