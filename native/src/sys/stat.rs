//! Files: what they are

use super::retry;
use crate::js::{Buffer, Outcome, Text};
use crate::{js_output, sys_functions};

js_output! {
    struct Stat {
        dev_major as "devMajor": u32,
        dev_minor as "devMinor": u32,
        ino as "ino": i64,
        mode as "mode": u32,
        nlink as "nlink": u32,
        uid as "uid": u32,
        gid as "gid": u32,
        rdev_major as "rdevMajor": u32,
        rdev_minor as "rdevMinor": u32,
        size as "size": i64,
        blocks as "blocks": i64,
        mtime_ms as "mtimeMs": f64,
        ctime_ms as "ctimeMs": f64,
        mount_id as "mountId": i64,
    }
}

js_output! {
    struct StatFs {
        type_ as "type": i64,
        block_size as "blockSize": i64,
        blocks as "blocks": i64,
        blocks_free as "blocksFree": i64,
        blocks_available as "blocksAvailable": i64,
        files as "files": i64,
        files_free as "filesFree": i64,
        flags as "flags": i64,
    }
}

/// struct statx_timestamp, include/uapi/linux/stat.h.
#[repr(C)]
#[derive(Default)]
struct Timestamp {
    seconds: i64,
    nanoseconds: u32,
    reserved: i32,
}

impl Timestamp {
    fn ms(&self) -> f64 {
        self.seconds as f64 * 1000.0 + f64::from(self.nanoseconds) / 1e6
    }
}

/// struct statx, include/uapi/linux/stat.h.
#[repr(C)]
#[derive(Default)]
struct Statx {
    mask: u32,
    block_size: u32,
    attributes: u64,
    nlink: u32,
    uid: u32,
    gid: u32,
    mode: u16,
    pad: u16,
    ino: u64,
    size: u64,
    blocks: u64,
    attributes_mask: u64,
    atime: Timestamp,
    btime: Timestamp,
    ctime: Timestamp,
    mtime: Timestamp,
    rdev_major: u32,
    rdev_minor: u32,
    dev_major: u32,
    dev_minor: u32,
    mount_id: u64,
    rest: [u64; 13],
}
const _: () = assert!(size_of::<Statx>() == 256);

/// struct statfs of 64 bits, include/uapi/asm-generic/statfs.h: not every libc tells all of it.
#[repr(C)]
#[derive(Default)]
struct KernelStatFs {
    type_: i64,
    block_size: i64,
    blocks: u64,
    blocks_free: u64,
    blocks_available: u64,
    files: u64,
    files_free: u64,
    id: [i32; 2],
    name_length: i64,
    fragment_size: i64,
    flags: i64,
    spare: [i64; 4],
}
const _: () = assert!(size_of::<KernelStatFs>() == 120);

/// STATX_BASIC_STATS | STATX_MNT_ID, include/uapi/linux/stat.h.
const WANTED: u32 = 0x7ff | 0x1000;

sys_functions! {
    /// statx(2) with AT_* `flags`; an empty path with AT_EMPTY_PATH stats `dirfd` itself.
    fn statx as "statx"(dirfd: i32, path: Text, flags: i32) -> Outcome<Stat> {
        let path = path.checked()?;
        let mut seen = Statx::default();
        // SAFETY: path and seen are alive for the call; the layout is asserted.
        retry(|| unsafe { libc::syscall(libc::SYS_statx, dirfd, path.as_ptr(), flags, WANTED, &raw mut seen) })?;
        Ok(Stat {
            dev_major: seen.dev_major,
            dev_minor: seen.dev_minor,
            ino: seen.ino as i64,
            mode: seen.mode.into(),
            nlink: seen.nlink,
            uid: seen.uid,
            gid: seen.gid,
            rdev_major: seen.rdev_major,
            rdev_minor: seen.rdev_minor,
            size: seen.size as i64,
            blocks: seen.blocks as i64,
            mtime_ms: seen.mtime.ms(),
            ctime_ms: seen.ctime.ms(),
            mount_id: seen.mount_id as i64,
        })
    }

    fn statfs as "statfs"(path: Text) -> Outcome<StatFs> {
        let path = path.checked()?;
        let mut seen = KernelStatFs::default();
        // SAFETY: path and seen are alive for the call; the layout is asserted.
        retry(|| unsafe { libc::syscall(libc::SYS_statfs, path.as_ptr(), &raw mut seen) })?;
        Ok(StatFs {
            type_: seen.type_,
            block_size: seen.block_size,
            blocks: seen.blocks as i64,
            blocks_free: seen.blocks_free as i64,
            blocks_available: seen.blocks_available as i64,
            files: seen.files as i64,
            files_free: seen.files_free as i64,
            flags: seen.flags,
        })
    }

    fn faccessat as "faccessat"(dirfd: i32, path: Text, mode: i32, flags: i32) -> Outcome {
        let path = path.checked()?;
        // SAFETY: the path is NUL-ended. faccessat2(2), because faccessat(2) knows no flags.
        retry(|| unsafe { libc::syscall(libc::SYS_faccessat2, dirfd, path.as_ptr(), mode, flags) })
    }

    /// lgetxattr(2); -ERANGE when the value has more than `maxBytes`.
    fn lgetxattr as "lgetxattr"(path: Text, name: Text, max_bytes: usize) -> Outcome<Vec<u8>> {
        let (path, name) = (path.checked()?, name.checked()?);
        // XATTR_SIZE_MAX, include/uapi/linux/limits.h.
        let mut value = vec![0u8; max_bytes.min(65536)];
        // SAFETY: the kernel writes inside the vector.
        let got = retry(|| unsafe {
            libc::lgetxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len())
        } as i64)?;
        value.truncate(got as usize);
        Ok(value)
    }

    fn lsetxattr as "lsetxattr"(path: Text, name: Text, value: Buffer, flags: i32) -> Outcome {
        let (path, name) = (path.checked()?, name.checked()?);
        // SAFETY: the kernel reads inside the buffer.
        retry(|| unsafe {
            libc::lsetxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), flags)
        })
    }

    fn fchmodat as "fchmodat"(dirfd: i32, path: Text, mode: u32) -> Outcome {
        let path = path.checked()?;
        // SAFETY: the path is NUL-ended.
        retry(|| unsafe { libc::syscall(libc::SYS_fchmodat, dirfd, path.as_ptr(), mode) })
    }

    fn fchmod as "fchmod"(fd: i32, mode: u32) -> Outcome {
        // SAFETY: takes no pointers.
        retry(|| unsafe { libc::fchmod(fd, mode) })
    }

    fn fchownat as "fchownat"(dirfd: i32, path: Text, uid: u32, gid: u32, flags: i32) -> Outcome {
        let path = path.checked()?;
        // SAFETY: the path is NUL-ended.
        retry(|| unsafe { libc::fchownat(dirfd, path.as_ptr(), uid, gid, flags) })
    }
}
