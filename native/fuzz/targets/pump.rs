//! The pump between any two kinds of descriptor, with any chunk, total and order of events: what comes out is the
//! beginning of what went in, every byte is counted once, the end is told once and for the right reason.
#![cfg_attr(feature = "libfuzzer", no_main)]

use std::cell::Cell;
use std::rc::Rc;

use kata_ts_native_fuzz::event_loop::Token;
use kata_ts_native_fuzz::input::Input;
use kata_ts_native_fuzz::pump::{self, Plan, Reason, Summary};
use kata_ts_native_fuzz::fuzz_target;

/// A channel: what is written to `inside`'s other end. -1: closed.
struct Channel {
    writer: i32,
    reader: i32,
}

impl Channel {
    fn new(kind: u8) -> Channel {
        let mut ends = [0; 2];
        // SAFETY: two descriptors are written.
        unsafe {
            match kind % 4 {
                0 => assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK), 0),
                1 => assert_eq!(libc::pipe2(ends.as_mut_ptr(), 0), 0),
                2 => assert_eq!(libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr()), 0),
                _ => assert_eq!(libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0, ends.as_mut_ptr()), 0),
            }
        }
        Channel { reader: ends[0], writer: ends[1] }
    }
}

fn close(fd: &mut i32) {
    if *fd >= 0 {
        // SAFETY: ours, closed once.
        unsafe { libc::close(*fd) };
        *fd = -1;
    }
}

fn poll(fd: i32, events: i16) -> i16 {
    let mut entry = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one entry, no waiting.
    unsafe { libc::poll(&mut entry, 1, 0) };
    entry.revents
}

fuzz_target!(|data: &[u8]| run(&mut Input::new(data)));

fn run(input: &mut Input) {
    let (mut source, mut sink) = (Channel::new(input.byte()), Channel::new(input.byte()));
    let discards = input.flag();
    let chunk = input.pick(&[1, 7, 4096, 32404, 1 << 20]);
    // Enough to fill any sink chunk by chunk; more of the smallest chunks is the same again, thousands of system calls long.
    let most = (512 * chunk).min(30_000);
    let mut total = if input.flag() { Some(input.below(20_000) as u64) } else { None };
    let told: Rc<Cell<Option<Summary>>> = Rc::default();
    let tell = { let told = told.clone(); move |summary| assert!(told.replace(Some(summary)).is_none(), "told twice") };
    let plan = Plan { total, chunk, shutdown_sink: input.flag(), discard_on_sink_error: discards };
    let id = pump::start(source.reader, sink.writer, plan, Box::new(tell)).expect("a pump");
    // The pump works on duplicates.
    close(&mut source.reader);
    let pump_sink = std::mem::replace(&mut sink.writer, -1);
    let (mut written, mut read, mut stopped) = (0u64, 0u64, false);
    while !input.is_empty() && told.get().is_none() {
        match input.byte() % 8 {
            0..=2 if source.writer >= 0 => written += write(source.writer, written, input.below(30_000).min(most)),
            3 | 4 if sink.reader >= 0 => read += check(sink.reader, read, input.below(30_000)),
            5 if input.flag() => close(&mut source.writer),
            6 if input.byte() % 4 == 0 => close(&mut sink.reader),
            7 => match input.byte() % 4 {
                0 => {
                    let more = input.below(20_000) as u64;
                    total = Some(more);
                    pump::set_total(id, more);
                }
                1 => {
                    stopped = true;
                    pump::stop(id);
                }
                _ => {}
            },
            _ => {}
        }
        turn(id, pump_sink);
    }
    // To the end: the writer closes, the reader reads.
    close(&mut source.writer);
    for _ in 0..10_000 {
        turn(id, pump_sink);
        if sink.reader >= 0 { read += check(sink.reader, read, 60_000) }
        if told.get().is_some() { break }
    }
    let had_reader = sink.reader >= 0;
    let summary = told.get().expect("it ended");
    if had_reader { while let more @ 1.. = check(sink.reader, read, 60_000) { read += more } }
    judge(summary, Facts { written, read, had_reader, discards, total, stopped });
    close(&mut sink.reader);
    let mut pump_sink = pump_sink;
    close(&mut pump_sink);
}

struct Facts { written: u64, read: u64, had_reader: bool, discards: bool, total: Option<u64>, stopped: bool }

fn judge(summary: Summary, facts: Facts) {
    let taken = summary.delivered + summary.discarded;
    assert!(taken <= facts.written, "more than was written");
    if facts.had_reader {
        assert_eq!(summary.delivered, facts.read, "delivered is what arrived");
    }
    match summary.reason {
        Reason::Eof => assert_eq!(taken, facts.written, "an end before the end"),
        Reason::Total => assert!(facts.total.is_some_and(|total| taken >= total), "less than the total"),
        Reason::Sink(_) => assert!(!facts.had_reader && !facts.discards, "a sink that was there"),
        Reason::Stopped => assert!(facts.stopped),
        Reason::Source(errno) => panic!("a source never fails here: {errno}"),
    }
}

/// What epoll(7) would tell, and more often: an event too many must do no harm.
fn turn(id: u32, sink: i32) {
    pump::wake(Token::PumpSource { id }, libc::EPOLLIN as u32);
    let seen = poll(sink, libc::POLLOUT);
    if seen != 0 {
        pump::wake(Token::PumpSink { id }, seen as u32);
    }
    let mut turns = 0;
    while pump::any_ready() {
        pump::run_ready();
        turns += 1;
        assert!(turns < 100_000, "it spins");
    }
}

/// Byte number n of the stream is n mod 251.
fn write(fd: i32, at: u64, count: usize) -> u64 {
    let bytes: Vec<u8> = (at..at + count as u64).map(|index| (index % 251) as u8).collect();
    let free = poll(fd, libc::POLLOUT) & libc::POLLOUT != 0;
    // A blocking pipe takes a page when it says it can.
    let length = if free { bytes.len().min(4096) } else { 0 };
    // SAFETY: the kernel reads inside the bytes. MSG_NOSIGNAL has no like for pipes: SIGPIPE is ignored by main.
    let taken = if length == 0 { 0 } else { unsafe { libc::write(fd, bytes.as_ptr().cast(), length) } };
    taken.max(0) as u64
}

fn check(fd: i32, at: u64, count: usize) -> u64 {
    if count == 0 || poll(fd, libc::POLLIN) & libc::POLLIN == 0 {
        return 0;
    }
    let mut bytes = vec![0u8; count];
    // SAFETY: the kernel writes inside the bytes.
    let got = unsafe { libc::read(fd, bytes.as_mut_ptr().cast(), count) }.max(0) as usize;
    for (index, byte) in bytes[..got].iter().enumerate() {
        assert_eq!(u64::from(*byte), (at + index as u64) % 251, "byte {} is another", at + index as u64);
    }
    got as u64
}
