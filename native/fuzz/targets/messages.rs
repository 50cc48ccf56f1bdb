//! Descriptors in messages: each arrives once, one that does not fit is closed, none is left open.
#![cfg_attr(feature = "libfuzzer", no_main)]

use kata_ts_native_fuzz::input::Input;
use kata_ts_native_fuzz::js::{Buffer, FromJs};
use kata_ts_native_fuzz::script;
use kata_ts_native_fuzz::sys::messages::{recv_fds, send_fds};
use kata_ts_native_fuzz::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let before = open_descriptors();
    let mut input = Input::new(data);
    let mut ends = [0; 2];
    let kind = input.pick(&[libc::SOCK_STREAM, libc::SOCK_SEQPACKET, libc::SOCK_DGRAM]);
    // SAFETY: two descriptors are written.
    assert_eq!(unsafe { libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_NONBLOCK, 0, ends.as_mut_ptr()) }, 0);
    while !input.is_empty() {
        if input.flag() {
            let count = if input.flag() { input.below(260) } else { input.below(5) };
            let value = script::bytes(input.some());
            let result = send_fds(ends[0], buffer(value), vec![ends[0]; count]);
            assert!(count <= 253 || result.is_err(), "more than the kernel takes");
            script::free(value);
        } else {
            let max = if input.flag() { input.below(300) } else { input.below(4) };
            let value = script::bytes(&vec![0; input.below(300)]);
            if let Ok(received) = recv_fds(ends[1], buffer(value), max) {
                assert!(received.fds.len() <= max, "more than asked for");
                for fd in received.fds {
                    // SAFETY: ours since it was received.
                    unsafe {
                        assert_ne!(libc::fcntl(fd, libc::F_GETFD) & libc::FD_CLOEXEC, 0, "it would be inherited");
                        libc::close(fd);
                    }
                }
            }
            script::free(value);
        }
    }
    for end in ends {
        // SAFETY: closed once.
        unsafe { libc::close(end) };
    }
    assert_eq!(open_descriptors(), before, "a descriptor was left open");
});

fn buffer(value: kata_ts_native_fuzz::js::qjs::JSValue) -> Buffer {
    Buffer::from_js(script::context(), value).unwrap_or_else(|_| panic!("no buffer"))
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
