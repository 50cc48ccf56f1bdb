//! Pump: bytes from one fd to another, natively (splice where both allow it)

use crate::event_loop;
use crate::js::{Callback, Failure, IntoJs, Outcome};
use crate::pump::{self, Plan, Reason, Summary};
use crate::{engine, js_input, js_output, sys_functions};

js_input! {
    struct PumpOptions {
        /// Borrowed: the pump works on its own duplicates. Sockets are connected.
        source as "source": i32,
        sink as "sink": i32,
        /// Stop after this many bytes; -1: at end of file. May be given later with pumpSetTotal.
        total_bytes as "totalBytes": i64,
        /// Bytes written at once at the most (facts/guest.md: 32404 towards vhost-device-vsock).
        chunk_bytes as "chunkBytes": usize,
        /// At end: shutdown(sink, SHUT_WR) for a socket.
        shutdown_sink as "shutdownSink": bool,
        /// When the sink is gone (EPIPE, ECONNRESET): go on reading and discard instead of ending.
        discard_on_sink_error as "discardOnSinkError": bool,
    }
}

js_output! {
    struct PumpEnd {
        /// 'eof': source ended; 'total': totalBytes reached; 'source'/'sink': that side failed with errno; 'stopped': pumpStop.
        /// @type 'eof' | 'total' | 'source' | 'sink' | 'stopped'
        reason as "reason": &'static str,
        errno as "errno": i32,
        /// Bytes delivered to the sink, and discarded.
        bytes as "bytes": i64,
        discarded_bytes as "discardedBytes": i64,
    }
}

impl From<Summary> for PumpEnd {
    fn from(summary: Summary) -> Self {
        let (reason, errno) = match summary.reason {
            Reason::Eof => ("eof", 0),
            Reason::Total => ("total", 0),
            Reason::Source(errno) => ("source", errno),
            Reason::Sink(errno) => ("sink", errno),
            Reason::Stopped => ("stopped", 0),
        };
        PumpEnd { reason, errno, bytes: summary.delivered as i64, discarded_bytes: summary.discarded as i64 }
    }
}

fn known(found: bool) -> Outcome {
    if found { Ok(0) } else { Err(Failure::Errno(libc::ENOENT)) }
}

sys_functions! {
    /// Starts a pump; gives an id > 0 or a negative errno. `done` is called once, from the loop. A pty master's EIO is end of file.
    /// @type done (end: PumpEnd) => void
    fn pump_start as "pumpStart"(options: PumpOptions, done: Callback) -> Outcome {
        if options.chunk_bytes == 0 {
            return Err(Failure::Argument("options with chunkBytes above 0"));
        }
        let plan = Plan {
            total: u64::try_from(options.total_bytes).ok(),
            chunk: options.chunk_bytes,
            shutdown_sink: options.shutdown_sink,
            discard_on_sink_error: options.discard_on_sink_error,
        };
        let tell = Box::new(move |summary: Summary| {
            event_loop::enter(&done, &mut [PumpEnd::from(summary).into_js(engine::ctx())]);
        });
        pump::start(options.source, options.sink, plan, tell).map(i64::from).map_err(Failure::Errno)
    }

    /// Bytes delivered so far; -ENOENT once the pump ended.
    fn pump_bytes as "pumpBytes"(id: u32) -> Outcome {
        pump::delivered(id).map(|bytes| bytes as i64).ok_or(Failure::Errno(libc::ENOENT))
    }

    /// Ends the pump when that many bytes were taken from the source, which may be now; -ENOENT once the pump ended.
    fn pump_set_total as "pumpSetTotal"(id: u32, total_bytes: i64) -> Outcome {
        let total = u64::try_from(total_bytes).map_err(|_| Failure::Argument("a total that is not negative"))?;
        known(pump::set_total(id, total))
    }

    /// Stops now; `done` is called with 'stopped'.
    fn pump_stop as "pumpStop"(id: u32) -> Outcome {
        known(pump::stop(id))
    }
}
