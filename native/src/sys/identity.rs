//! Processes: users and capabilities. The raw calls: libc's wrappers of set*id would look for other threads to tell.

use super::result;
use crate::js::Outcome;
use crate::{js_output, sys_functions};

js_output! {
    /// Capability sets as bit masks.
    struct Capabilities {
        effective as "effective": u64,
        permitted as "permitted": u64,
        inheritable as "inheritable": u64,
    }
}

/// struct __user_cap_header_struct and __user_cap_data_struct, include/uapi/linux/capability.h.
#[repr(C)]
struct CapHeader {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Default, Clone, Copy)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}
const _: () = assert!(size_of::<CapHeader>() == 8 && size_of::<CapData>() == 12);

/// _LINUX_CAPABILITY_VERSION_3: two data words a set.
const VERSION_3: u32 = 0x2008_0522;

fn joined(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

sys_functions! {
    fn getuid as "getuid"() -> Outcome {
        // SAFETY: takes nothing.
        result(unsafe { libc::syscall(libc::SYS_getuid) })
    }

    fn geteuid as "geteuid"() -> Outcome {
        // SAFETY: takes nothing.
        result(unsafe { libc::syscall(libc::SYS_geteuid) })
    }

    fn getgid as "getgid"() -> Outcome {
        // SAFETY: takes nothing.
        result(unsafe { libc::syscall(libc::SYS_getgid) })
    }

    fn getegid as "getegid"() -> Outcome {
        // SAFETY: takes nothing.
        result(unsafe { libc::syscall(libc::SYS_getegid) })
    }

    fn setresuid as "setresuid"(real: u32, effective: u32, saved: u32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::syscall(libc::SYS_setresuid, real, effective, saved) })
    }

    fn setresgid as "setresgid"(real: u32, effective: u32, saved: u32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::syscall(libc::SYS_setresgid, real, effective, saved) })
    }

    fn setgroups as "setgroups"(groups: Vec<u32>) -> Outcome {
        // SAFETY: pointer and length are of one vector.
        result(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })
    }

    /// Capability sets as bit masks, version 3 (64 bits).
    fn capget as "capget"(pid: i32) -> Outcome<Capabilities> {
        let mut header = CapHeader { version: VERSION_3, pid };
        let mut data = [CapData::default(); 2];
        // SAFETY: version 3 writes two data structs.
        result(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) })?;
        let [low, high] = data;
        Ok(Capabilities {
            effective: joined(low.effective, high.effective),
            permitted: joined(low.permitted, high.permitted),
            inheritable: joined(low.inheritable, high.inheritable),
        })
    }

    fn capset as "capset"(effective: u64, permitted: u64, inheritable: u64) -> Outcome {
        let mut header = CapHeader { version: VERSION_3, pid: 0 };
        let data = [0, 32].map(|shift| CapData {
            effective: (effective >> shift) as u32,
            permitted: (permitted >> shift) as u32,
            inheritable: (inheritable >> shift) as u32,
        });
        // SAFETY: version 3 reads two data structs.
        result(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) })
    }
}
