//! Files: names and directories

use super::{result, retry};
use crate::js::{Failure, Outcome, Text, text_of};
use crate::sys_functions;

sys_functions! {
    fn mkdirat as "mkdirat"(dirfd: i32, path: Text, mode: u32) -> Outcome {
        let path = path.checked()?;
        // SAFETY: the path is NUL-ended.
        retry(|| unsafe { libc::mkdirat(dirfd, path.as_ptr(), mode) })
    }

    fn mknodat as "mknodat"(dirfd: i32, path: Text, mode: u32, major: u32, minor: u32) -> Outcome {
        let path = path.checked()?;
        // SAFETY: the path is NUL-ended.
        retry(|| unsafe { libc::mknodat(dirfd, path.as_ptr(), mode, libc::makedev(major, minor)) })
    }

    fn unlinkat as "unlinkat"(dirfd: i32, path: Text, flags: i32) -> Outcome {
        let path = path.checked()?;
        // SAFETY: the path is NUL-ended.
        retry(|| unsafe { libc::unlinkat(dirfd, path.as_ptr(), flags) })
    }

    fn renameat2 as "renameat2"(old_dirfd: i32, old_path: Text, new_dirfd: i32, new_path: Text, flags: u32) -> Outcome {
        let (old, new) = (old_path.checked()?, new_path.checked()?);
        // SAFETY: the paths are NUL-ended.
        retry(|| unsafe {
            libc::syscall(libc::SYS_renameat2, old_dirfd, old.as_ptr(), new_dirfd, new.as_ptr(), flags)
        })
    }

    fn symlinkat as "symlinkat"(target: Text, dirfd: i32, path: Text) -> Outcome {
        let (target, path) = (target.checked()?, path.checked()?);
        // SAFETY: the strings are NUL-ended.
        retry(|| unsafe { libc::symlinkat(target.as_ptr(), dirfd, path.as_ptr()) })
    }

    fn linkat as "linkat"(old_dirfd: i32, old_path: Text, new_dirfd: i32, new_path: Text, flags: i32) -> Outcome {
        let (old, new) = (old_path.checked()?, new_path.checked()?);
        // SAFETY: the paths are NUL-ended.
        retry(|| unsafe { libc::linkat(old_dirfd, old.as_ptr(), new_dirfd, new.as_ptr(), flags) })
    }

    fn readlinkat as "readlinkat"(dirfd: i32, path: Text) -> Outcome<String> {
        let path = path.checked()?;
        let mut target = [0u8; libc::PATH_MAX as usize];
        // SAFETY: the kernel writes inside the array.
        let length = retry(|| unsafe {
            libc::readlinkat(dirfd, path.as_ptr(), target.as_mut_ptr().cast(), target.len())
        } as i64)?;
        Ok(text_of(&target[..length as usize]))
    }

    fn umask as "umask"(mask: u32) -> i32 {
        // SAFETY: takes no pointers.
        unsafe { libc::umask(mask) as i32 }
    }

    fn chdir as "chdir"(path: Text) -> Outcome {
        let path = path.checked()?;
        // SAFETY: the path is NUL-ended.
        retry(|| unsafe { libc::chdir(path.as_ptr()) })
    }

    fn fchdir as "fchdir"(fd: i32) -> Outcome {
        // SAFETY: takes no pointers.
        retry(|| unsafe { libc::fchdir(fd) })
    }

    fn chroot as "chroot"(path: Text) -> Outcome {
        let path = path.checked()?;
        // SAFETY: the path is NUL-ended.
        retry(|| unsafe { libc::chroot(path.as_ptr()) })
    }

    fn getcwd as "getcwd"() -> Outcome<String> {
        let mut path = [0u8; libc::PATH_MAX as usize];
        // SAFETY: the kernel writes inside the array. Its result counts the NUL.
        let length = result(unsafe { libc::syscall(libc::SYS_getcwd, path.as_mut_ptr(), path.len()) })?;
        match length {
            1.. => Ok(text_of(&path[..length as usize - 1])),
            _ => Err(Failure::Errno(libc::ENOENT)),
        }
    }

    fn inotify_init as "inotifyInit"(flags: i32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::inotify_init1(flags | libc::IN_CLOEXEC) }.into())
    }

    fn inotify_add_watch as "inotifyAddWatch"(fd: i32, path: Text, mask: u32) -> Outcome {
        let path = path.checked()?;
        // SAFETY: the path is NUL-ended.
        result(unsafe { libc::inotify_add_watch(fd, path.as_ptr(), mask) }.into())
    }
}
