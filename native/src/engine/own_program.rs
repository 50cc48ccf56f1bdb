//! Running the own program from where nobody can write to it.

use std::ffi::CStr;
use std::io::Error;

use super::die;
use crate::sys::mounts::RawMountAttr;

const OWN: &CStr = c"/proc/self/exe";

/// include/uapi/linux/mount.h
const OPEN_TREE_CLONE: i32 = 1;
const MOUNT_ATTR_RDONLY: u64 = 1;

/// Runs this program again from a read-only mount of its own file, which is mounted nowhere, when one of the arguments
/// behind the first is a line of `words`. Returns when it is so already, or when this process may not mount: then it is
/// no root of the host, and neither is a container of its, and the file is the host's root's.
///
/// Before the engine starts, since all of it would start again. A word that is no verb but an id costs a millisecond.
pub fn run_read_only(words: &[u8], argc: i32, argv: *const *const libc::c_char) {
    if !is_asked(words, argc, argv) || is_read_only() {
        return;
    }
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC;
    // SAFETY: the path is NUL-ended.
    let mount = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, OWN.as_ptr(), flags) };
    if mount < 0 && Error::last_os_error().raw_os_error() == Some(libc::EPERM) {
        return;
    }
    check("open_tree", mount);
    let attr = RawMountAttr { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0, userns_fd: 0 };
    let size = size_of::<RawMountAttr>();
    // SAFETY: path and struct are alive for the call, the size is the struct's.
    check("mount_setattr", unsafe {
        libc::syscall(libc::SYS_mount_setattr, mount, c"".as_ptr(), libc::AT_EMPTY_PATH, &raw const attr, size)
    });
    // SAFETY: the kernel's own vectors of NUL-ended strings, handed on.
    check("execveat", unsafe {
        libc::syscall(libc::SYS_execveat, mount, c"".as_ptr(), argv, super::arguments::environ, libc::AT_EMPTY_PATH)
    });
}

fn is_asked(words: &[u8], argc: i32, argv: *const *const libc::c_char) -> bool {
    // SAFETY: the kernel gives `argc` NUL-ended strings.
    let mut arguments = (1..argc as usize).map(|index| unsafe { CStr::from_ptr(*argv.add(index)) }.to_bytes());
    arguments.any(|argument| words.split(|byte| *byte == b'\n').any(|word| !word.is_empty() && word == argument))
}

/// statfs(2) tells of the mount that the file was found by.
fn is_read_only() -> bool {
    // SAFETY: the struct is plain old data, the path NUL-ended.
    unsafe {
        let mut seen: libc::statvfs = std::mem::zeroed();
        check("statfs", libc::statvfs(OWN.as_ptr(), &raw mut seen).into());
        seen.f_flag & libc::ST_RDONLY != 0
    }
}

fn check(call: &str, result: i64) {
    if result < 0 {
        die(&format!("{call} {}: {}", OWN.to_string_lossy(), Error::last_os_error()));
    }
}

#[cfg(test)]
mod tests {
    use super::is_asked;

    #[test]
    fn a_whole_argument_behind_the_first_asks() {
        let asked = |words: &[u8], arguments: &[&std::ffi::CStr]| {
            let vector: Vec<_> = arguments.iter().map(|argument| argument.as_ptr()).collect();
            is_asked(words, vector.len() as i32, vector.as_ptr())
        };
        assert!(asked(b"create\nrun", &[c"kata-ts", c"--root", c"/x", c"run"]));
        assert!(!asked(b"create\nrun", &[c"run", c"list"]));
        assert!(!asked(b"create\nrun", &[c"kata-ts", c"runs", c"", c"create\nrun"]));
        assert!(!asked(b"", &[c"kata-ts", c""]));
    }
}
