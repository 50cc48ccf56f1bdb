//! Files

use std::ffi::CStr;

use super::{result, retry};
use crate::js::{Buffer, Failure, Outcome, Text, text_of};
use crate::{js_output, sys_functions};

js_output! {
    struct DirectoryEntry {
        name as "name": String,
        type_ as "type": i32,
    }
}

/// struct open_how, include/uapi/linux/openat2.h.
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}
const _: () = assert!(size_of::<OpenHow>() == 24);

/// First buffer of a file whose size the kernel does not tell (procfs says 0).
const FIRST_READ: usize = 4096;

pub(super) fn open(dirfd: i32, path: &CStr, flags: i32, mode: u32) -> Outcome {
    // SAFETY: the path is NUL-ended.
    retry(|| unsafe { libc::openat(dirfd, path.as_ptr(), flags | libc::O_CLOEXEC, mode) })
}

fn close_quietly(fd: i64) {
    // SAFETY: an fd of our own, closed once.
    unsafe { libc::close(fd as i32) };
}

fn read_all(fd: i32, max_bytes: usize) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if bytes.len() == bytes.capacity() {
            bytes.reserve(FIRST_READ.max(bytes.len()));
        }
        let free = bytes.spare_capacity_mut();
        // SAFETY: the kernel writes at most the spare capacity and says how much.
        let got = retry(|| unsafe { libc::read(fd, free.as_mut_ptr().cast(), free.len()) } as i64)?;
        if got == 0 {
            return Ok(bytes);
        }
        // SAFETY: `got` bytes were written behind the length.
        unsafe { bytes.set_len(bytes.len() + got as usize) };
        if bytes.len() > max_bytes {
            return Err(Failure::Errno(libc::EFBIG));
        }
    }
}

fn write_all(fd: i32, bytes: &[u8]) -> Outcome {
    let mut written = 0;
    // A kernel file takes an empty write as a value too, so there is at least one.
    loop {
        let rest = &bytes[written..];
        // SAFETY: the bytes are alive for the call.
        written += retry(|| unsafe { libc::write(fd, rest.as_ptr().cast(), rest.len()) } as i64)? as usize;
        if written >= bytes.len() {
            return Ok(written as i64);
        }
    }
}

sys_functions! {
    /// openat(2); O_CLOEXEC is always added.
    fn openat as "openat"(dirfd: i32, path: Text, flags: i32, mode: u32) -> Outcome {
        open(dirfd, path.checked()?, flags, mode)
    }

    /// openat2(2); O_CLOEXEC is always added. `resolve`: RESOLVE_* of linux/openat2.h.
    fn openat2 as "openat2"(dirfd: i32, path: Text, flags: u32, mode: u32, resolve: u32) -> Outcome {
        let path = path.checked()?;
        let how = OpenHow {
            flags: u64::from(flags) | libc::O_CLOEXEC as u64,
            mode: mode.into(),
            resolve: resolve.into(),
        };
        // SAFETY: path and how are alive for the call, the size is how's.
        retry(|| unsafe { libc::syscall(libc::SYS_openat2, dirfd, path.as_ptr(), &how, size_of::<OpenHow>()) })
    }

    /// close(2), never retried: the fd is gone whatever it says.
    fn close as "close"(fd: i32) -> Outcome {
        // SAFETY: which fds are its own is the program's care.
        result(unsafe { libc::close(fd) }.into())
    }

    /// close_range(2), both ends included; fds of the event loop itself are left out.
    fn close_range as "closeRange"(first: u32, last: u32, flags: u32) -> Outcome {
        let mut start = first;
        for fd in crate::event_loop::own_fds() {
            if fd < start || fd > last {
                continue;
            }
            if fd > start {
                close_span(start, fd - 1, flags)?;
            }
            start = fd + 1;
        }
        if start > last { Ok(0) } else { close_span(start, last, flags) }
    }

    /// read(2) into `buffer[offset, offset+length)`; 0 is end of file.
    fn read as "read"(fd: i32, buffer: Buffer, offset: usize, length: usize) -> Outcome {
        let mut buffer = buffer;
        let range = buffer.range(offset, length)?;
        // SAFETY: the kernel writes inside the range.
        retry(|| unsafe { libc::read(fd, range.as_mut_ptr().cast(), range.len()) } as i64)
    }

    /// write(2) from `buffer[offset, offset+length)`.
    fn write as "write"(fd: i32, buffer: Buffer, offset: usize, length: usize) -> Outcome {
        let mut buffer = buffer;
        let range = buffer.range(offset, length)?;
        // SAFETY: the kernel reads inside the range.
        retry(|| unsafe { libc::write(fd, range.as_ptr().cast(), range.len()) } as i64)
    }

    fn pread as "pread"(fd: i32, buffer: Buffer, offset: usize, length: usize, position: i64) -> Outcome {
        let mut buffer = buffer;
        let range = buffer.range(offset, length)?;
        // SAFETY: the kernel writes inside the range.
        retry(|| unsafe { libc::pread(fd, range.as_mut_ptr().cast(), range.len(), position) } as i64)
    }

    fn pwrite as "pwrite"(fd: i32, buffer: Buffer, offset: usize, length: usize, position: i64) -> Outcome {
        let mut buffer = buffer;
        let range = buffer.range(offset, length)?;
        // SAFETY: the kernel reads inside the range.
        retry(|| unsafe { libc::pwrite(fd, range.as_ptr().cast(), range.len(), position) } as i64)
    }

    /// The whole file, read until end of file; -EFBIG when it holds more than `maxBytes`.
    fn read_file as "readFile"(dirfd: i32, path: Text, max_bytes: usize) -> Outcome<Vec<u8>> {
        let fd = open(dirfd, path.checked()?, libc::O_RDONLY, 0)?;
        let bytes = read_all(fd as i32, max_bytes);
        close_quietly(fd);
        bytes
    }

    /// open, write all, close. Gives the number of bytes. `flags` without access mode: O_WRONLY is added.
    /// @type data string | Uint8Array
    fn write_file as "writeFile"(dirfd: i32, path: Text, data: crate::js::Word, flags: i32, mode: u32) -> Outcome {
        let access = if flags & libc::O_ACCMODE == 0 { libc::O_WRONLY } else { 0 };
        let bytes = match &data {
            crate::js::Word::Text(text) => text.as_bytes(),
            crate::js::Word::Buffer(buffer) => buffer,
            crate::js::Word::Number(_) => return Err(Failure::Argument("text or bytes")),
        };
        let fd = open(dirfd, path.checked()?, flags | access, mode)?;
        let written = write_all(fd as i32, bytes);
        close_quietly(fd);
        written
    }

    fn ftruncate as "ftruncate"(fd: i32, length_bytes: i64) -> Outcome {
        // SAFETY: takes no pointers.
        retry(|| unsafe { libc::ftruncate(fd, length_bytes) })
    }

    fn fsync as "fsync"(fd: i32) -> Outcome {
        // SAFETY: takes no pointers.
        retry(|| unsafe { libc::fsync(fd) })
    }

    /// flock(2); pass LOCK_NB for a try.
    fn flock as "flock"(fd: i32, operation: i32) -> Outcome {
        // SAFETY: takes no pointers.
        retry(|| unsafe { libc::flock(fd, operation) })
    }

    /// Names and DT_* types of the entries, without `.` and `..`.
    fn readdir as "readdir"(dirfd: i32, path: Text) -> Outcome<Vec<DirectoryEntry>> {
        let fd = open(dirfd, path.checked()?, libc::O_RDONLY | libc::O_DIRECTORY, 0)? as i32;
        let entries = read_entries(fd);
        close_quietly(fd.into());
        entries
    }

    fn sync as "sync"() {
        // SAFETY: takes nothing.
        unsafe { libc::sync() }
    }

    fn syncfs as "syncfs"(fd: i32) -> Outcome {
        // SAFETY: takes no pointers.
        retry(|| unsafe { libc::syncfs(fd) })
    }
}

fn close_span(first: u32, last: u32, flags: u32) -> Outcome {
    // SAFETY: takes no pointers.
    result(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) })
}

fn read_entries(fd: i32) -> Outcome<Vec<DirectoryEntry>> {
    let mut entries = Vec::new();
    let mut buffer = vec![0u8; 16 * 1024];
    loop {
        // SAFETY: the kernel writes inside the buffer.
        let got = retry(|| unsafe { libc::syscall(libc::SYS_getdents64, fd, buffer.as_mut_ptr(), buffer.len()) })?;
        if got == 0 {
            return Ok(entries);
        }
        add_entries(&buffer[..got as usize], &mut entries);
    }
}

/// struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name (getdents64(2)). Whatever the bytes, it ends.
pub fn add_entries(bytes: &[u8], entries: &mut Vec<DirectoryEntry>) {
    const NAME: usize = 19;
    let mut rest = bytes;
    while rest.len() > NAME {
        let length = u16::from_ne_bytes([rest[16], rest[17]]) as usize;
        let (entry, behind) = rest.split_at(length.clamp(NAME, rest.len()));
        let name = &entry[NAME..];
        let name = &name[..name.iter().position(|byte| *byte == 0).unwrap_or(name.len())];
        if name != b"." && name != b".." {
            entries.push(DirectoryEntry { name: text_of(name), type_: entry[18].into() });
        }
        rest = behind;
    }
}
