//! The guest's program, in ring 0 and long mode. It writes one letter to a port for each stage.

/// Port of the stage letters, and the letter of an exception that must not happen.
pub const PORT: u16 = 0xf1;
pub const FAULT: u8 = b'!';

/// What the CPU has, told to the guest in EBP.
pub const HAS_XGETBV: u64 = 1;
pub const HAS_CLAC: u64 = 2;

/// Rounds of the counted loop, told in R8, and its instructions in all.
pub const LOOP_ROUNDS: u64 = 300_000;
pub const LOOP_INSTRUCTIONS: u64 = LOOP_ROUNDS * 3;

std::arch::global_asm!(
    ".pushsection .rodata.kvm_guest, \"a\"",
    ".balign 16",
    "kvm_guest_start:",
    "mov dx, 0xf1",
    "mov al, 0x41", // A: here
    "out dx, al",
    "int3", // B: by the handler
    // cmpxchg16b on 16 zero bytes at 0x6000: 0:0 becomes 2:1.
    "xor eax, eax",
    "xor edx, edx",
    "mov ebx, 1",
    "mov ecx, 2",
    "mov edi, 0x6000",
    "lock cmpxchg16b [rdi]",
    "jnz kvm_guest_fault",
    "cmp qword ptr [rdi], 1",
    "jne kvm_guest_fault",
    "cmp qword ptr [rdi + 8], 2",
    "jne kvm_guest_fault",
    "mov dx, 0xf1",
    "mov al, 0x43", // C
    "out dx, al",
    "test ebp, 1",
    "jz 2f",
    "xor ecx, ecx",
    "xgetbv",
    "2:",
    "test ebp, 2",
    "jz 3f",
    "clac",
    "3:",
    "mov dx, 0xf1",
    "mov al, 0x44", // D
    "out dx, al",
    "4:",
    "add qword ptr [rdi], 1",
    "dec r8",
    "jnz 4b",
    "mov al, 0x45", // E
    "out dx, al",
    "hlt",
    "kvm_guest_int3:",
    "push rax",
    "push rdx",
    "mov dx, 0xf1",
    "mov al, 0x42", // B
    "out dx, al",
    "pop rdx",
    "pop rax",
    "iretq",
    "kvm_guest_fault:",
    "mov dx, 0xf1",
    "mov al, 0x21", // !
    "out dx, al",
    "hlt",
    "kvm_guest_end:",
    ".popsection",
);

unsafe extern "C" {
    static kvm_guest_start: u8;
    static kvm_guest_int3: u8;
    static kvm_guest_fault: u8;
    static kvm_guest_end: u8;
}

pub struct Program {
    pub code: &'static [u8],
    /// Offsets of the handlers in the code.
    pub int3: u64,
    pub fault: u64,
}

pub fn program() -> Program {
    let start = &raw const kvm_guest_start;
    // SAFETY: the symbols are of one section, in this order.
    unsafe {
        let offset = |symbol: *const u8| symbol.offset_from(start) as usize;
        Program {
            code: std::slice::from_raw_parts(start, offset(&raw const kvm_guest_end)),
            int3: offset(&raw const kvm_guest_int3) as u64,
            fault: offset(&raw const kvm_guest_fault) as u64,
        }
    }
}
