//! Mounts

use std::ffi::CStr;

use super::{result, retry};
use crate::js::{Outcome, Text};
use crate::{js_input, sys_functions};

js_input! {
    /// struct mount_attr (mount_setattr(2)).
    struct MountAttr {
        set as "set": i64,
        clear as "clear": i64,
        propagation as "propagation": i64,
        userns_fd as "usernsFd": Option<i32>,
    }
}

/// struct mount_attr, include/uapi/linux/mount.h.
#[repr(C)]
pub struct RawMountAttr {
    pub set: u64,
    pub clear: u64,
    pub propagation: u64,
    pub userns_fd: u64,
}
const _: () = assert!(size_of::<RawMountAttr>() == 32);

fn optional(text: &Option<Text>) -> Outcome<*const libc::c_char> {
    Ok(text.as_ref().map(Text::checked).transpose()?.map_or(std::ptr::null(), CStr::as_ptr))
}

sys_functions! {
    fn mount as "mount"(source: Option<Text>, target: Text, fstype: Option<Text>, flags: i64, data: Option<Text>) -> Outcome {
        let (source, target, fstype, data) = (optional(&source)?, target.checked()?, optional(&fstype)?, optional(&data)?);
        // SAFETY: the strings are NUL-ended or NULL.
        retry(|| unsafe { libc::syscall(libc::SYS_mount, source, target.as_ptr(), fstype, flags, data) })
    }

    fn umount2 as "umount2"(target: Text, flags: i32) -> Outcome {
        let target = target.checked()?;
        // SAFETY: the path is NUL-ended.
        retry(|| unsafe { libc::umount2(target.as_ptr(), flags) })
    }

    fn pivot_root as "pivotRoot"(new_root: Text, put_old: Text) -> Outcome {
        let (new_root, put_old) = (new_root.checked()?, put_old.checked()?);
        // SAFETY: the paths are NUL-ended.
        result(unsafe { libc::syscall(libc::SYS_pivot_root, new_root.as_ptr(), put_old.as_ptr()) })
    }

    fn open_tree as "openTree"(dirfd: i32, path: Text, flags: u32) -> Outcome {
        // OPEN_TREE_CLOEXEC is O_CLOEXEC (include/uapi/linux/mount.h).
        let (path, flags) = (path.checked()?, flags | libc::O_CLOEXEC as u32);
        // SAFETY: the path is NUL-ended.
        retry(|| unsafe { libc::syscall(libc::SYS_open_tree, dirfd, path.as_ptr(), flags) })
    }

    fn move_mount as "moveMount"(from_dirfd: i32, from_path: Text, to_dirfd: i32, to_path: Text, flags: u32) -> Outcome {
        let (from, to) = (from_path.checked()?, to_path.checked()?);
        // SAFETY: the paths are NUL-ended.
        retry(|| unsafe {
            libc::syscall(libc::SYS_move_mount, from_dirfd, from.as_ptr(), to_dirfd, to.as_ptr(), flags)
        })
    }

    fn mount_setattr as "mountSetattr"(dirfd: i32, path: Text, flags: u32, attr: MountAttr) -> Outcome {
        let path = path.checked()?;
        let raw = RawMountAttr {
            set: attr.set as u64,
            clear: attr.clear as u64,
            propagation: attr.propagation as u64,
            userns_fd: attr.userns_fd.unwrap_or(0) as u64,
        };
        let size = size_of::<RawMountAttr>();
        // SAFETY: path and struct are alive for the call, the size is the struct's.
        retry(|| unsafe { libc::syscall(libc::SYS_mount_setattr, dirfd, path.as_ptr(), flags, &raw const raw, size) })
    }

    /// fsopen(2); FSOPEN_CLOEXEC is always added.
    fn fsopen as "fsopen"(fstype: Text, flags: u32) -> Outcome {
        const FSOPEN_CLOEXEC: u32 = 1; // include/uapi/linux/mount.h
        let fstype = fstype.checked()?;
        // SAFETY: the name is NUL-ended.
        retry(|| unsafe { libc::syscall(libc::SYS_fsopen, fstype.as_ptr(), flags | FSOPEN_CLOEXEC) })
    }

    /// fsconfig(2): `value` null for flags and commands; `aux` is the fd of FSCONFIG_SET_FD.
    fn fsconfig as "fsconfig"(fd: i32, command: u32, key: Option<Text>, value: Option<Text>, aux: i32) -> Outcome {
        let (key, value) = (optional(&key)?, optional(&value)?);
        // SAFETY: the strings are NUL-ended or NULL.
        retry(|| unsafe { libc::syscall(libc::SYS_fsconfig, fd, command, key, value, aux) })
    }

    /// fsmount(2); FSMOUNT_CLOEXEC is always added.
    fn fsmount as "fsmount"(fd: i32, flags: u32, attr_flags: u32) -> Outcome {
        const FSMOUNT_CLOEXEC: u32 = 1; // include/uapi/linux/mount.h
        // SAFETY: takes no pointers.
        retry(|| unsafe { libc::syscall(libc::SYS_fsmount, fd, flags | FSMOUNT_CLOEXEC, attr_flags) })
    }
}
