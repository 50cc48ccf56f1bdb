/** include/uapi/asm-generic/fcntl.h, include/uapi/linux/fcntl.h (x86_64 values), openat2.h. */
export const O_RDONLY = 0
export const O_WRONLY = 0o1
export const O_RDWR = 0o2
export const O_CREAT = 0o100
export const O_EXCL = 0o200
export const O_NOCTTY = 0o400
export const O_TRUNC = 0o1000
export const O_APPEND = 0o2000
export const O_NONBLOCK = 0o4000
export const O_DIRECTORY = 0o200000
export const O_NOFOLLOW = 0o400000
export const O_CLOEXEC = 0o2000000
export const O_PATH = 0o10000000

export const AT_FDCWD = -100
export const AT_SYMLINK_NOFOLLOW = 0x100
export const AT_REMOVEDIR = 0x200
export const AT_SYMLINK_FOLLOW = 0x400
export const AT_NO_AUTOMOUNT = 0x800
export const AT_EMPTY_PATH = 0x1000
export const AT_RECURSIVE = 0x8000

export const F_DUPFD = 0
export const F_GETFD = 1
export const F_SETFD = 2
export const F_GETFL = 3
export const F_SETFL = 4
export const F_DUPFD_CLOEXEC = 1030
export const F_SETPIPE_SZ = 1031
export const F_ADD_SEALS = 1033
export const FD_CLOEXEC = 1

export const F_SEAL_SEAL = 1
export const F_SEAL_SHRINK = 2
export const F_SEAL_GROW = 4
export const F_SEAL_WRITE = 8

/** include/uapi/linux/memfd.h */
export const MFD_CLOEXEC = 1
export const MFD_ALLOW_SEALING = 2
export const MFD_EXEC = 0x10

export const RESOLVE_NO_XDEV = 0x01
export const RESOLVE_NO_MAGICLINKS = 0x02
export const RESOLVE_NO_SYMLINKS = 0x04
export const RESOLVE_BENEATH = 0x08
export const RESOLVE_IN_ROOT = 0x10

/** flock(2), include/uapi/asm-generic/fcntl.h */
export const LOCK_SH = 1
export const LOCK_EX = 2
export const LOCK_NB = 4
export const LOCK_UN = 8

/** include/uapi/linux/inotify.h */
export const IN_MODIFY = 0x2
export const IN_MOVED_TO = 0x80
export const IN_CREATE = 0x100
export const IN_DELETE = 0x200
export const IN_DELETE_SELF = 0x400
export const IN_ONLYDIR = 0x1000000
export const IN_NONBLOCK = O_NONBLOCK
export const IN_CLOEXEC = O_CLOEXEC

/** access(2) */
export const F_OK = 0
export const X_OK = 1
export const W_OK = 2
export const R_OK = 4
