use std::ptr;

use super::guest::{self, FAULT, HAS_CLAC, HAS_XGETBV, PORT};
use super::layout::{self, MEMORY_BYTES, Regs, Sregs};
use super::report::{Outcome, Report};
use crate::event_loop::errno;
use crate::sys::clocks::monotonic_ns;

// include/uapi/linux/kvm.h
const KVM_GET_API_VERSION: u32 = 0xae00;
const KVM_CREATE_VM: u32 = 0xae01;
const KVM_GET_VCPU_MMAP_SIZE: u32 = 0xae04;
const KVM_GET_SUPPORTED_CPUID: u32 = 0xc008_ae05;
const KVM_CREATE_VCPU: u32 = 0xae41;
const KVM_SET_USER_MEMORY_REGION: u32 = 0x4020_ae46;
const KVM_SET_TSS_ADDR: u32 = 0xae47;
const KVM_RUN: u32 = 0xae80;
const KVM_SET_REGS: u32 = 0x4090_ae82;
const KVM_GET_SREGS: u32 = 0x8138_ae83;
const KVM_SET_SREGS: u32 = 0x4138_ae84;
const KVM_SET_CPUID2: u32 = 0x4008_ae90;
const API_VERSION: i64 = 12;
const EXIT_IO: u32 = 2;
const EXIT_HLT: u32 = 5;
/// Where Intel keeps three pages for a guest in real mode; anywhere unused below 4 GiB.
const TSS_ADDRESS: u64 = 0xfffb_d000;

/// struct kvm_userspace_memory_region.
#[repr(C)]
struct MemoryRegion {
    slot: u32,
    flags: u32,
    guest_address: u64,
    bytes: u64,
    host_address: u64,
}

/// struct kvm_cpuid_entry2.
#[repr(C)]
#[derive(Default, Clone, Copy)]
struct CpuidEntry {
    function: u32,
    index: u32,
    flags: u32,
    eax: u32,
    ebx: u32,
    ecx: u32,
    edx: u32,
    padding: [u32; 3],
}

const MAX_CPUID: usize = 256;

/// struct kvm_cpuid2.
#[repr(C)]
struct Cpuid {
    count: u32,
    padding: u32,
    entries: [CpuidEntry; MAX_CPUID],
}

/// struct kvm_run, as far as it is read: exit_reason at 8, the exit's union at 32.
#[repr(C)]
struct Run {
    request: [u8; 8],
    exit_reason: u32,
    state: [u8; 20],
    io_direction: u8,
    io_size: u8,
    io_port: u16,
    io_count: u32,
    io_data_offset: u64,
}
const _: () = assert!(std::mem::offset_of!(Run, io_direction) == 32 && size_of::<CpuidEntry>() == 40);

/// An ioctl with one word; Err: errno.
fn ioctl(fd: i32, request: u32, argument: u64) -> Result<i64, i32> {
    // SAFETY: arguments that are pointers point to the request's structure, alive for the call.
    match unsafe { libc::syscall(libc::SYS_ioctl, fd, request, argument) } {
        value if value >= 0 => Ok(value),
        _ => Err(errno()),
    }
}

fn address_of<T>(value: &mut T) -> u64 {
    ptr::from_mut(value) as u64
}

fn map(fd: i32, bytes: usize) -> Result<*mut u8, i32> {
    let anonymous = if fd < 0 { libc::MAP_ANONYMOUS } else { 0 };
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping; the child never unmaps it.
    let memory = unsafe { libc::mmap(ptr::null_mut(), bytes, access, libc::MAP_SHARED | anonymous, fd, 0) };
    if memory == libc::MAP_FAILED { Err(errno()) } else { Ok(memory.cast()) }
}

/// The child's whole work. Everything it opens ends with it.
pub fn run_trial(report: &Report) {
    // SAFETY: the path is NUL-ended.
    let kvm = unsafe { libc::open(c"/dev/kvm".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
    if kvm < 0 {
        return report.end(Outcome::NoDevice, errno() as u32);
    }
    match set_up(kvm) {
        Ok((vcpu, run)) => run_guest(vcpu, run, report),
        Err(errno) => report.end(Outcome::SetUpFailed, errno as u32),
    }
}

fn set_up(kvm: i32) -> Result<(i32, *mut Run), i32> {
    if ioctl(kvm, KVM_GET_API_VERSION, 0)? != API_VERSION {
        return Err(libc::ENOSYS);
    }
    let vm = ioctl(kvm, KVM_CREATE_VM, 0)? as i32;
    // AMD has no such pages and may refuse.
    let _ = ioctl(vm, KVM_SET_TSS_ADDR, TSS_ADDRESS);
    let memory = map(-1, MEMORY_BYTES)?;
    // SAFETY: mapped above with this size, and seen by nobody else yet.
    layout::fill(unsafe { std::slice::from_raw_parts_mut(memory, MEMORY_BYTES) }, &guest::program());
    let mut region =
        MemoryRegion { slot: 0, flags: 0, guest_address: 0, bytes: MEMORY_BYTES as u64, host_address: memory as u64 };
    ioctl(vm, KVM_SET_USER_MEMORY_REGION, address_of(&mut region))?;
    let vcpu = ioctl(vm, KVM_CREATE_VCPU, 0)? as i32;
    let features = set_cpuid(kvm, vcpu)?;
    let mut sregs = Sregs::default();
    ioctl(vcpu, KVM_GET_SREGS, address_of(&mut sregs))?;
    layout::enter_long_mode(&mut sregs, features & HAS_XGETBV != 0);
    ioctl(vcpu, KVM_SET_SREGS, address_of(&mut sregs))?;
    let mut regs: Regs = layout::registers(features);
    ioctl(vcpu, KVM_SET_REGS, address_of(&mut regs))?;
    let run_bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0)? as usize;
    Ok((vcpu, map(vcpu, run_bytes)?.cast()))
}

/// Gives the guest all of the host's CPUID, and tells which optional instructions it has to try.
fn set_cpuid(kvm: i32, vcpu: i32) -> Result<u64, i32> {
    let mut cpuid = Cpuid { count: MAX_CPUID as u32, padding: 0, entries: [CpuidEntry::default(); MAX_CPUID] };
    ioctl(kvm, KVM_GET_SUPPORTED_CPUID, address_of(&mut cpuid))?;
    ioctl(vcpu, KVM_SET_CPUID2, address_of(&mut cpuid))?;
    let mut features = 0;
    for entry in cpuid.entries.iter().take(cpuid.count as usize) {
        // CPUID.1:ECX.XSAVE[26] and CPUID.7.0:EBX.SMAP[20] (Intel SDM 2A).
        if entry.function == 1 && entry.ecx & 1 << 26 != 0 {
            features |= HAS_XGETBV;
        }
        if entry.function == 7 && entry.index == 0 && entry.ebx & 1 << 20 != 0 {
            features |= HAS_CLAC;
        }
    }
    Ok(features)
}

fn run_guest(vcpu: i32, run: *mut Run, report: &Report) {
    let mut last_stage = 0;
    let mut entered = monotonic_ns();
    loop {
        match ioctl(vcpu, KVM_RUN, 0) {
            Ok(_) => {}
            Err(libc::EINTR | libc::EAGAIN) => continue,
            Err(errno) => return report.end(Outcome::SetUpFailed, errno as u32),
        }
        // SAFETY: KVM filled the mapping; the data lies inside it at the offset it tells.
        let (reason, port, letter) = unsafe {
            let is_io = (*run).exit_reason == EXIT_IO;
            let letter = if is_io { *run.cast::<u8>().add((*run).io_data_offset as usize) } else { 0 };
            ((*run).exit_reason, (*run).io_port, letter)
        };
        match reason {
            EXIT_IO if port == PORT && letter == FAULT => return report.end(Outcome::GuestFault, 0),
            EXIT_IO if port == PORT => {
                let now = monotonic_ns();
                report.reach(letter);
                report.loop_took(now - entered);
                (last_stage, entered) = (letter, now);
            }
            EXIT_HLT if last_stage == b'E' => return report.end(Outcome::Halted, 0),
            other => return report.end(Outcome::UnexpectedExit, other),
        }
    }
}
