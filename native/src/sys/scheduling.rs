//! Processes: limits and scheduling

use super::result;
use crate::js::{Failure, Outcome};
use crate::{js_input, js_output, sys_functions};

js_output! {
    struct ResourceLimit {
        soft as "soft": u64,
        hard as "hard": u64,
    }
}

js_input! {
    /// struct sched_attr (sched_setattr(2)).
    struct SchedAttr {
        policy as "policy": u32,
        flags as "flags": u64,
        nice as "nice": i32,
        priority as "priority": u32,
        runtime as "runtime": u64,
        deadline as "deadline": u64,
        period as "period": u64,
    }
}

/// struct rlimit64, include/uapi/linux/resource.h.
#[repr(C)]
#[derive(Default)]
struct RawLimit {
    soft: u64,
    hard: u64,
}

/// struct sched_attr, include/uapi/linux/sched/types.h, first version.
#[repr(C)]
struct RawSchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}
const _: () = assert!(size_of::<RawSchedAttr>() == 48 && size_of::<RawLimit>() == 16);

/// CPU numbers beyond this are refused: the kernel's largest NR_CPUS.
const MAX_CPU: u32 = 8192;

sys_functions! {
    /// prlimit64(2), set; RLIM_INFINITY is 2^64-1.
    fn setrlimit as "setrlimit"(pid: i32, resource: u32, soft: u64, hard: u64) -> Outcome {
        let limit = RawLimit { soft, hard };
        // SAFETY: the kernel reads one struct; NULL asks for no old value.
        result(unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, &raw const limit, 0usize) })
    }

    fn getrlimit as "getrlimit"(pid: i32, resource: u32) -> Outcome<ResourceLimit> {
        let mut limit = RawLimit::default();
        // SAFETY: the kernel writes one struct; NULL sets nothing.
        result(unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, 0usize, &raw mut limit) })?;
        Ok(ResourceLimit { soft: limit.soft, hard: limit.hard })
    }

    fn setpriority as "setpriority"(which: i32, who: u32, priority: i32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::syscall(libc::SYS_setpriority, which, who, priority) })
    }

    fn ioprio_set as "ioprioSet"(which: i32, who: i32, ioprio: i32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::syscall(libc::SYS_ioprio_set, which, who, ioprio) })
    }

    fn sched_setattr as "schedSetattr"(pid: i32, attr: SchedAttr) -> Outcome {
        let raw = RawSchedAttr {
            size: size_of::<RawSchedAttr>() as u32,
            policy: attr.policy,
            flags: attr.flags,
            nice: attr.nice,
            priority: attr.priority,
            runtime: attr.runtime,
            deadline: attr.deadline,
            period: attr.period,
        };
        // SAFETY: the struct tells its size.
        result(unsafe { libc::syscall(libc::SYS_sched_setattr, pid, &raw const raw, 0) })
    }

    fn sched_setaffinity as "schedSetaffinity"(pid: i32, cpus: Vec<u32>) -> Outcome {
        let mut mask = vec![0u64; (MAX_CPU / 64) as usize];
        for cpu in cpus {
            if cpu >= MAX_CPU {
                return Err(Failure::Errno(libc::EINVAL));
            }
            mask[(cpu / 64) as usize] |= 1 << (cpu % 64);
        }
        // SAFETY: pointer and length are of one vector.
        result(unsafe { libc::syscall(libc::SYS_sched_setaffinity, pid, mask.len() * 8, mask.as_ptr()) })
    }
}
