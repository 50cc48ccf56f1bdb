//! Clocks and entropy

use super::{result, retry};
use crate::js::{BigWord, Buffer, Outcome};
use crate::sys_functions;

const NS: i64 = 1_000_000_000;

fn now(clock: i32) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel (or its vDSO) writes one timespec.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time
}

/// CLOCK_MONOTONIC.
pub fn monotonic_ns() -> u64 {
    let time = now(libc::CLOCK_MONOTONIC);
    (time.tv_sec * NS + time.tv_nsec) as u64
}

/// struct rand_pool_info with its bytes behind it, include/uapi/linux/random.h.
fn pool_info(seed: &[u8]) -> Vec<u32> {
    let words = seed.len().div_ceil(4);
    let mut info = vec![0; 2 + words];
    info[0] = (seed.len() * 8) as u32;
    info[1] = seed.len() as u32;
    for (index, byte) in seed.iter().enumerate() {
        info[2 + index / 4] |= u32::from(*byte) << (8 * (index % 4));
    }
    info
}

sys_functions! {
    /// Nanoseconds of a CLOCK_*.
    fn clock_gettime as "clockGettime"(clock: i32) -> BigWord {
        let time = now(clock);
        BigWord((time.tv_sec * NS + time.tv_nsec) as u64)
    }

    fn clock_settime as "clockSettime"(clock: i32, nanoseconds: u64) -> Outcome {
        let time = libc::timespec {
            tv_sec: (nanoseconds / NS as u64) as _,
            tv_nsec: (nanoseconds % NS as u64) as _,
        };
        // SAFETY: the kernel reads one timespec.
        result(unsafe { libc::clock_settime(clock, &time) }.into())
    }

    /// CLOCK_MONOTONIC in milliseconds with fractions.
    fn monotonic_ms as "monotonicMs"() -> f64 {
        monotonic_ns() as f64 / 1e6
    }

    /// getrandom(2), which waits until the kernel's pool is ready.
    fn getrandom as "getrandom"(buffer: Buffer) -> Outcome {
        let mut buffer = buffer;
        let length = buffer.len();
        let start = buffer.as_mut_ptr();
        // SAFETY: the kernel writes inside the buffer.
        retry(|| unsafe { libc::syscall(libc::SYS_getrandom, start, length, 0) })
    }

    /// RNDADDENTROPY: credits all bits of `seed`.
    fn add_entropy as "addEntropy"(seed: Buffer) -> Outcome {
        const RNDADDENTROPY: u32 = 0x4008_5203; // include/uapi/linux/random.h
        let info = pool_info(&seed);
        let device = super::files::open(libc::AT_FDCWD, c"/dev/urandom", libc::O_WRONLY, 0)? as i32;
        // SAFETY: the struct tells how many bytes follow.
        let added = retry(|| unsafe { libc::syscall(libc::SYS_ioctl, device, RNDADDENTROPY, info.as_ptr()) });
        // SAFETY: our own fd, closed once.
        unsafe { libc::close(device) };
        added
    }

    /// TSC frequency of the host in kHz: CPUID where it tells, otherwise measured against CLOCK_MONOTONIC_RAW (about 20 ms).
    fn tsc_khz as "tscKhz"() -> f64 {
        #[cfg(target_arch = "x86_64")]
        {
            tsc_khz_told().unwrap_or_else(tsc_khz_measured)
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            0.0
        }
    }
}

/// CPUID leaf 0x15: crystal frequency and its ratio to the TSC (Intel SDM 2A, CPUID).
#[cfg(target_arch = "x86_64")]
fn tsc_khz_told() -> Option<f64> {
    use std::arch::x86_64::__cpuid;
    if __cpuid(0).eax < 0x15 {
        return None;
    }
    let leaf = __cpuid(0x15);
    (leaf.eax != 0 && leaf.ebx != 0 && leaf.ecx != 0)
        .then(|| f64::from(leaf.ecx) * f64::from(leaf.ebx) / f64::from(leaf.eax) / 1000.0)
        .map(f64::round)
}

#[cfg(target_arch = "x86_64")]
fn tsc_khz_measured() -> f64 {
    const SPAN_NS: i64 = 20_000_000;
    let read = || {
        let time = now(libc::CLOCK_MONOTONIC_RAW);
        // SAFETY: reads a register.
        (time.tv_sec * NS + time.tv_nsec, unsafe { std::arch::x86_64::_rdtsc() })
    };
    let (start_ns, start_tsc) = read();
    loop {
        let (ns, tsc) = read();
        if ns - start_ns >= SPAN_NS {
            return ((tsc - start_tsc) as f64 * 1e6 / (ns - start_ns) as f64).round();
        }
    }
}
