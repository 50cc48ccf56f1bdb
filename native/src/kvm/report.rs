use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::event_loop::errno;

/// What the guest reached; the letter it writes to the port, in this order.
pub const STAGES: &[(u8, &str)] = &[
    (b'A', "entered long mode"),
    (b'B', "took a breakpoint (int3)"),
    (b'C', "did cmpxchg16b"),
    (b'D', "did xgetbv and clac"),
    (b'E', "finished the counted loop"),
];

/// A loop faster than this is run by hardware: emulators do about a million instructions a second.
const MIN_INSTRUCTIONS_PER_S: f64 = 100e6;

/// How the child's part of the trial ended; `detail` is an errno, an exit reason or a letter.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Outcome {
    // 0, as the memory starts: still running.
    NoDevice = 1,
    SetUpFailed = 2,
    UnexpectedExit = 3,
    GuestFault = 4,
    Halted = 5,
}

/// In memory shared between parent and child.
#[repr(C)]
struct Shared {
    outcome: AtomicU32,
    detail: AtomicU32,
    stage: AtomicU8,
    loop_ns: AtomicU64,
}

pub struct Report(*mut Shared);

impl Report {
    /// Err: errno.
    pub fn shared() -> Result<Report, i32> {
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new anonymous mapping, zeroed, page-aligned.
        let memory = unsafe { libc::mmap(std::ptr::null_mut(), size_of::<Shared>(), access, flags, -1, 0) };
        if memory == libc::MAP_FAILED { Err(errno()) } else { Ok(Report(memory.cast())) }
    }

    fn shared_ref(&self) -> &Shared {
        // SAFETY: mapped until Drop, and only touched by atomics.
        unsafe { &*self.0 }
    }

    pub fn end(&self, outcome: Outcome, detail: u32) {
        self.shared_ref().detail.store(detail, Ordering::Relaxed);
        self.shared_ref().outcome.store(outcome as u32, Ordering::Release);
    }

    pub fn reach(&self, stage: u8) {
        self.shared_ref().stage.store(stage, Ordering::Relaxed);
    }

    pub fn loop_took(&self, ns: u64) {
        self.shared_ref().loop_ns.store(ns, Ordering::Relaxed);
    }

    /// Usable, and why or why not.
    pub fn verdict(&self, ended: bool, timeout_ms: f64) -> (bool, String) {
        let shared = self.shared_ref();
        let outcome = shared.outcome.load(Ordering::Acquire);
        let detail = shared.detail.load(Ordering::Relaxed);
        let seen = seen(shared.stage.load(Ordering::Relaxed));
        if !ended {
            return (false, format!("the trial guest {seen} and did not go on within {timeout_ms} ms"));
        }
        if outcome == Outcome::NoDevice as u32 {
            return (false, format!("/dev/kvm cannot be opened: {}", std::io::Error::from_raw_os_error(detail as i32)));
        }
        if outcome == Outcome::SetUpFailed as u32 {
            return (false, format!("KVM refused the trial VM: {}", std::io::Error::from_raw_os_error(detail as i32)));
        }
        if outcome == Outcome::UnexpectedExit as u32 {
            return (false, format!("the trial guest {seen}, then KVM gave up with {}", exit_name(detail)));
        }
        if outcome == Outcome::GuestFault as u32 {
            return (false, format!("the trial guest {seen}, then got an exception it must not get"));
        }
        if outcome != Outcome::Halted as u32 {
            return (false, format!("the trial process died after the guest {seen}"));
        }
        speed_verdict(shared.loop_ns.load(Ordering::Relaxed))
    }
}

fn speed_verdict(loop_ns: u64) -> (bool, String) {
    let per_s = super::guest::LOOP_INSTRUCTIONS as f64 * 1e9 / loop_ns.max(1) as f64;
    let millions = per_s / 1e6;
    if per_s < MIN_INSTRUCTIONS_PER_S {
        return (
            false,
            format!("the trial guest ran at {millions:.1} million instructions a second: ring 0 is emulated"),
        );
    }
    (true, format!("the trial guest ran, {millions:.0} million instructions a second"))
}

fn seen(stage: u8) -> &'static str {
    STAGES.iter().find(|(letter, _)| *letter == stage).map_or("did nothing", |(_, words)| words)
}

/// KVM_EXIT_*, include/uapi/linux/kvm.h.
fn exit_name(reason: u32) -> String {
    match reason {
        5 => "an early halt (KVM_EXIT_HLT)".into(),
        6 => "an access to memory that is not there (KVM_EXIT_MMIO)".into(),
        8 => "a triple fault (KVM_EXIT_SHUTDOWN)".into(),
        9 => "a failed entry (KVM_EXIT_FAIL_ENTRY)".into(),
        17 => "an internal error (KVM_EXIT_INTERNAL_ERROR)".into(),
        other => format!("exit reason {other}"),
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `shared`, unmapped once.
        unsafe { libc::munmap(self.0.cast(), size_of::<Shared>()) };
    }
}
