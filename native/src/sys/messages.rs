//! Sockets: file descriptors in messages

use super::retry;
use crate::js::{Buffer, Failure, Outcome};
use crate::{js_output, sys_functions};

js_output! {
    struct ReceivedFds {
        bytes as "bytes": i64,
        fds as "fds": Vec<i32>,
    }
}

/// SCM_MAX_FD, include/net/scm.h.
const MAX_FDS: usize = 253;

/// Room for one SCM_RIGHTS message with MAX_FDS, aligned as struct cmsghdr needs it.
#[repr(C, align(8))]
struct Control([u8; 1040]);
// SAFETY: CMSG_SPACE only computes.
const _: () = assert!(unsafe { libc::CMSG_SPACE((MAX_FDS * 4) as u32) } as usize <= size_of::<Control>());

fn message(part: &mut libc::iovec, control: &mut Control, control_length: u32) -> libc::msghdr {
    // SAFETY: an all-zero msghdr is valid.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = part;
    header.msg_iovlen = 1;
    if control_length > 0 {
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = control_length as _;
    }
    header
}

fn fds_of(header: &libc::msghdr) -> Vec<i32> {
    let mut fds = Vec::new();
    // SAFETY: the CMSG macros walk what the kernel wrote into the control buffer.
    unsafe {
        let mut entry = libc::CMSG_FIRSTHDR(header);
        while !entry.is_null() {
            if (*entry).cmsg_level == libc::SOL_SOCKET && (*entry).cmsg_type == libc::SCM_RIGHTS {
                let count = ((*entry).cmsg_len as usize - libc::CMSG_LEN(0) as usize) / 4;
                let data = libc::CMSG_DATA(entry).cast::<i32>();
                fds.extend((0..count).map(|index| data.add(index).read_unaligned()));
            }
            entry = libc::CMSG_NXTHDR(header, entry);
        }
    }
    fds
}

sys_functions! {
    /// sendmsg(2) with SCM_RIGHTS; the fds are borrowed.
    fn send_fds as "sendFds"(fd: i32, data: Buffer, fds: Vec<i32>) -> Outcome {
        if fds.len() > MAX_FDS {
            return Err(Failure::Errno(libc::EINVAL));
        }
        let mut control = Control([0; 1040]);
        let mut part = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
        // SAFETY: computes a size.
        let space = if fds.is_empty() { 0 } else { unsafe { libc::CMSG_SPACE((fds.len() * 4) as u32) } };
        let header = message(&mut part, &mut control, space);
        if !fds.is_empty() {
            // SAFETY: the control buffer has room for one entry with these fds.
            unsafe {
                let entry = libc::CMSG_FIRSTHDR(&header);
                (*entry).cmsg_level = libc::SOL_SOCKET;
                (*entry).cmsg_type = libc::SCM_RIGHTS;
                (*entry).cmsg_len = libc::CMSG_LEN((fds.len() * 4) as u32) as _;
                let place = libc::CMSG_DATA(entry).cast::<i32>();
                for (index, fd) in fds.iter().enumerate() {
                    place.add(index).write_unaligned(*fd);
                }
            }
        }
        // SAFETY: header points to live parts.
        retry(|| unsafe { libc::sendmsg(fd, &header, libc::MSG_NOSIGNAL) } as i64)
    }

    /// recvmsg(2) with SCM_RIGHTS and MSG_CMSG_CLOEXEC; the caller owns the fds. -EMSGSIZE (and every fd closed) on MSG_CTRUNC.
    fn recv_fds as "recvFds"(fd: i32, buffer: Buffer, max_fds: usize) -> Outcome<ReceivedFds> {
        let mut buffer = buffer;
        let mut control = Control([0; 1040]);
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: computes a size.
        let space = unsafe { libc::CMSG_SPACE((max_fds.min(MAX_FDS) * 4) as u32) };
        let mut header = message(&mut part, &mut control, space);
        // SAFETY: header points to live parts.
        let bytes = retry(|| unsafe { libc::recvmsg(fd, &mut header, libc::MSG_CMSG_CLOEXEC) } as i64)?;
        let fds = fds_of(&header);
        // CMSG_SPACE rounds up, so that one fd more than asked for can fit.
        if header.msg_flags & libc::MSG_CTRUNC != 0 || fds.len() > max_fds {
            for fd in fds {
                // SAFETY: the kernel just gave us these.
                unsafe { libc::close(fd) };
            }
            return Err(Failure::Errno(libc::EMSGSIZE));
        }
        Ok(ReceivedFds { bytes, fds })
    }
}
