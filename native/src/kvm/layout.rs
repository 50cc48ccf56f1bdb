//! The guest's memory and registers. One 2 MiB page, mapped to itself.

use super::guest::Program;

pub const MEMORY_BYTES: usize = 2 << 20;

const PML4: u64 = 0x1000;
const PDPT: u64 = 0x2000;
const PD: u64 = 0x3000;
const GDT: u64 = 0x4000;
const IDT: u64 = 0x5000;
// 0x6000: the guest's data.
const STACK_TOP: u64 = 0x8000;
pub const CODE: u64 = 0x9000;

/// Page table entries: present, writable; with bit 7 a 2 MiB page (Intel SDM 3A, 4.5).
const TABLE: u64 = 0b11;
const LARGE_PAGE: u64 = 0x83;

/// Segment descriptors: flat 64-bit code and data of ring 0 (Intel SDM 3A, 3.4.5).
const CODE_DESCRIPTOR: u64 = 0x00af_9b00_0000_ffff;
const DATA_DESCRIPTOR: u64 = 0x00cf_9300_0000_ffff;
const CODE_SELECTOR: u16 = 8;
const DATA_SELECTOR: u16 = 16;

const VECTORS: u64 = 32;
const INT3: u64 = 3;

/// struct kvm_regs, arch/x86/include/uapi/asm/kvm.h.
#[repr(C)]
#[derive(Default)]
pub struct Regs {
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub rsp: u64,
    pub rbp: u64,
    pub r8: u64,
    pub r9_to_r15: [u64; 7],
    pub rip: u64,
    pub rflags: u64,
}

/// struct kvm_segment.
#[repr(C)]
#[derive(Default, Clone, Copy)]
pub struct Segment {
    base: u64,
    limit: u32,
    selector: u16,
    kind: u8,
    present: u8,
    dpl: u8,
    db: u8,
    s: u8,
    l: u8,
    g: u8,
    avl: u8,
    unusable: u8,
    padding: u8,
}

/// struct kvm_dtable.
#[repr(C)]
#[derive(Default, Clone, Copy)]
pub struct Table {
    base: u64,
    limit: u16,
    padding: [u16; 3],
}

/// struct kvm_sregs.
#[repr(C)]
#[derive(Default)]
pub struct Sregs {
    cs: Segment,
    /// ds, es, fs, gs, ss.
    data: [Segment; 5],
    tr_and_ldt: [Segment; 2],
    gdt: Table,
    idt: Table,
    cr0: u64,
    cr2: u64,
    cr3: u64,
    cr4: u64,
    cr8: u64,
    efer: u64,
    apic_base: u64,
    interrupt_bitmap: [u64; 4],
}
const _: () = assert!(size_of::<Regs>() == 0x90 && size_of::<Sregs>() == 0x138);

/// CR0: PE, MP, ET, NE, WP, PG. CR4: PAE, OSFXSR, OSXMMEXCPT, OSXSAVE. EFER: LME, LMA (Intel SDM 3A, 2.5).
const CR0: u64 = 0x8001_0033;
const CR4: u64 = 0x620;
const CR4_OSXSAVE: u64 = 0x4_0000;
const EFER: u64 = 0x500;

/// Writes tables and program into the guest's memory, which is zeroed.
pub fn fill(memory: &mut [u8], program: &Program) {
    let mut put = |address: u64, value: u64| {
        memory[address as usize..][..8].copy_from_slice(&value.to_le_bytes());
    };
    put(PML4, PDPT | TABLE);
    put(PDPT, PD | TABLE);
    put(PD, LARGE_PAGE);
    put(GDT + u64::from(CODE_SELECTOR), CODE_DESCRIPTOR);
    put(GDT + u64::from(DATA_SELECTOR), DATA_DESCRIPTOR);
    for vector in 0..VECTORS {
        let handler = CODE + if vector == INT3 { program.int3 } else { program.fault };
        put(IDT + vector * 16, gate(handler));
        put(IDT + vector * 16 + 8, handler >> 32);
    }
    memory[CODE as usize..][..program.code.len()].copy_from_slice(program.code);
}

/// The lower half of a 64-bit interrupt gate (Intel SDM 3A, 6.14.1).
fn gate(handler: u64) -> u64 {
    (handler & 0xffff) | u64::from(CODE_SELECTOR) << 16 | 0x8e00 << 32 | (handler >> 16 & 0xffff) << 48
}

pub fn registers(features: u64) -> Regs {
    Regs {
        rip: CODE,
        rsp: STACK_TOP,
        rbp: features,
        r8: super::guest::LOOP_ROUNDS,
        rflags: 2, // bit 1 is always set
        ..Regs::default()
    }
}

/// Changes what KVM gave to long mode.
pub fn enter_long_mode(sregs: &mut Sregs, xsave: bool) {
    let code = Segment {
        limit: u32::MAX,
        selector: CODE_SELECTOR,
        kind: 11,
        present: 1,
        s: 1,
        l: 1,
        g: 1,
        ..Segment::default()
    };
    let data = Segment {
        limit: u32::MAX,
        selector: DATA_SELECTOR,
        kind: 3,
        present: 1,
        db: 1,
        s: 1,
        g: 1,
        ..Segment::default()
    };
    sregs.cs = code;
    sregs.data = [data; 5];
    sregs.gdt = Table { base: GDT, limit: 23, ..Table::default() };
    sregs.idt = Table { base: IDT, limit: (VECTORS * 16 - 1) as u16, ..Table::default() };
    sregs.cr0 = CR0;
    sregs.cr3 = PML4;
    sregs.cr4 = CR4 | if xsave { CR4_OSXSAVE } else { 0 };
    sregs.efer = EFER;
}
