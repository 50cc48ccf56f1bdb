//! Files: descriptors

use super::{result, retry};
use crate::js::{Buffer, Outcome, Text};
use crate::sys_functions;

sys_functions! {
    fn dup as "dup"(fd: i32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) }.into())
    }

    /// dup3(2); gives `newFd` also when both are the same (as dup2 does).
    fn dup3 as "dup3"(old_fd: i32, new_fd: i32, flags: i32) -> Outcome {
        if old_fd == new_fd {
            let close_on_exec = if flags & libc::O_CLOEXEC != 0 { libc::FD_CLOEXEC } else { 0 };
            // SAFETY: takes no pointers.
            return result(unsafe { libc::fcntl(old_fd, libc::F_SETFD, close_on_exec) }.into()).map(|_| new_fd.into());
        }
        // SAFETY: takes no pointers.
        retry(|| unsafe { libc::syscall(libc::SYS_dup3, old_fd, new_fd, flags) })
    }

    fn fcntl as "fcntl"(fd: i32, command: i32, argument: i64) -> Outcome {
        // SAFETY: commands with an integer argument only; the program's constants name no others.
        retry(|| unsafe { libc::fcntl(fd, command, argument) })
    }

    /// ioctl(2) with an integer argument.
    fn ioctl as "ioctl"(fd: i32, request: u32, argument: i64) -> Outcome {
        // SAFETY: the request takes an integer, says the caller.
        retry(|| unsafe { libc::syscall(libc::SYS_ioctl, fd, request, argument) })
    }

    /// ioctl(2) with a pointer to `buffer`, which the kernel may read and write.
    fn ioctl_buffer as "ioctlBuffer"(fd: i32, request: u32, buffer: Buffer) -> Outcome {
        let mut buffer = buffer;
        let start = buffer.as_mut_ptr();
        // SAFETY: the buffer is as large as the request's structure, says the caller.
        retry(|| unsafe { libc::syscall(libc::SYS_ioctl, fd, request, start) })
    }

    /// pipe2(2): reader, writer.
    fn pipe2 as "pipe2"(flags: i32) -> Outcome<[i32; 2]> {
        let mut ends = [0; 2];
        // SAFETY: the kernel writes two fds.
        result(unsafe { libc::pipe2(ends.as_mut_ptr(), flags | libc::O_CLOEXEC) }.into())?;
        Ok(ends)
    }

    fn eventfd as "eventfd"(initial: u32, flags: i32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::eventfd(initial, flags | libc::EFD_CLOEXEC) }.into())
    }

    fn memfd_create as "memfdCreate"(name: Text, flags: u32) -> Outcome {
        let name = name.checked()?;
        // SAFETY: the name is NUL-ended.
        result(unsafe { libc::syscall(libc::SYS_memfd_create, name.as_ptr(), flags | libc::MFD_CLOEXEC) })
    }
}
