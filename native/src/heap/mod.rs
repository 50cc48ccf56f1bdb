//! The allocator of JavaScript's heap and of Rust's: size classes over spans of one reserved range of addresses.
//!
//! libc's allocator maps and unmaps groups of a few pages, which in a guest under TCG was a fifth of the agent's
//! start. Here a small block costs a few instructions, and memory comes from the kernel in steps of a span.
//!
//! ```text
//!   arena: | span | span | span | …            (spans of 64 KiB, aligned to their size)
//!   span:  | header | block | block | … |      (blocks of one size class; free ones are linked)
//! ```
//! The range is reserved once, so memory is to be had under any RLIMIT_AS: a container's init sets the limits of the
//! program that it becomes.
//!
//! A block's span, and so its size, is found by rounding its address down. Blocks above the largest class come
//! from libc, and where it has none, from spans of their own. One thread, no locks.

mod classes;
mod spans;

use std::alloc::{GlobalAlloc, Layout};
use std::cell::RefCell;
use std::ffi::c_void;

use crate::js::{SingleThread, qjs};
use spans::Arena;

static ARENA: SingleThread<RefCell<Arena>> = SingleThread(RefCell::new(Arena::new()));

/// What JS_NewRuntime2 is given.
pub static FUNCTIONS: qjs::JSMallocFunctions = qjs::JSMallocFunctions {
    js_calloc: Some(calloc),
    js_malloc: Some(malloc),
    js_free: Some(free),
    js_realloc: Some(realloc),
    js_malloc_usable_size: Some(usable_size),
};

fn allocate(size: usize) -> *mut u8 {
    let mut arena = ARENA.0.borrow_mut();
    match classes::class_of(size).map(|class| arena.allocate(class)) {
        Some(block) if !block.is_null() => block,
        // Too large, or the arena is full.
        _ => {
            // SAFETY: any size is allowed.
            let block: *mut u8 = unsafe { libc::malloc(size).cast() };
            if block.is_null() { arena.allocate_large(size) } else { block }
        }
    }
}

unsafe extern "C" fn malloc(_: *mut c_void, size: u64) -> *mut c_void {
    allocate(size as usize).cast()
}

unsafe extern "C" fn calloc(_: *mut c_void, count: u64, size: u64) -> *mut c_void {
    let Some(bytes) = (count as usize).checked_mul(size as usize) else { return std::ptr::null_mut() };
    if classes::class_of(bytes).is_none() {
        // libc knows which of its pages are zero already.
        // SAFETY: any size is allowed.
        let block = unsafe { libc::calloc(1, bytes) };
        if !block.is_null() {
            return block;
        }
    }
    let block = allocate(bytes);
    if !block.is_null() {
        // SAFETY: the block has at least this size.
        unsafe { block.write_bytes(0, bytes) };
    }
    block.cast()
}

unsafe extern "C" fn free(_: *mut c_void, block: *mut c_void) {
    let mut arena = ARENA.0.borrow_mut();
    if arena.holds(block.cast()) {
        // SAFETY: QuickJS frees a block once.
        unsafe { arena.free(block.cast()) };
    } else {
        // SAFETY: what is outside the arena came from libc, or is NULL.
        unsafe { libc::free(block) };
    }
}

unsafe extern "C" fn realloc(opaque: *mut c_void, block: *mut c_void, size: u64) -> *mut c_void {
    if block.is_null() {
        // SAFETY: as malloc.
        return unsafe { malloc(opaque, size) };
    }
    if size == 0 {
        // SAFETY: as free.
        unsafe { free(opaque, block) };
        return std::ptr::null_mut();
    }
    let held = ARENA.0.borrow().holds(block.cast());
    if !held && classes::class_of(size as usize).is_none() {
        // SAFETY: a block of libc's stays one, while libc has memory.
        let moved = unsafe { libc::realloc(block, size as usize) };
        if !moved.is_null() {
            return moved;
        }
    }
    // SAFETY: the block is alive; the copy stays inside both blocks.
    unsafe {
        let old = usable_size(block) as usize;
        // Shrinking within half of a class is not worth a copy.
        if held && size as usize <= old && size as usize * 2 > old {
            return block;
        }
        let moved = allocate(size as usize);
        if !moved.is_null() {
            moved.copy_from_nonoverlapping(block.cast(), old.min(size as usize));
            free(opaque, block);
        }
        moved.cast()
    }
}

unsafe extern "C" fn usable_size(block: *const c_void) -> u64 {
    let arena = ARENA.0.borrow();
    if arena.holds(block.cast()) {
        // SAFETY: inside the arena every block lies in a span with a header.
        return unsafe { arena.size_of(block.cast()) } as u64;
    }
    // SAFETY: from libc, or NULL.
    unsafe { libc::malloc_usable_size(block.cast_mut()) as u64 }
}

/// Rust's own blocks. Tests of this crate run in threads, so there Rust keeps its default.
#[cfg_attr(not(test), global_allocator)]
#[cfg_attr(test, allow(dead_code))]
static RUST: RustHeap = RustHeap;

struct RustHeap;

/// Every block of the arena is aligned to this.
const ALIGNMENT: usize = 16;

// SAFETY: blocks are disjoint, as large and as aligned as asked for; one thread.
unsafe impl GlobalAlloc for RustHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= ALIGNMENT {
            return allocate(layout.size());
        }
        // SAFETY: an alignment above 16 is a power of two and a multiple of a pointer's size.
        unsafe { libc::memalign(layout.align(), layout.size()).cast() }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= ALIGNMENT {
            // SAFETY: any size is allowed.
            return unsafe { calloc(std::ptr::null_mut(), 1, layout.size() as u64) }.cast();
        }
        // SAFETY: the block has at least this size.
        unsafe {
            let block = self.alloc(layout);
            if !block.is_null() {
                block.write_bytes(0, layout.size());
            }
            block
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: Rust frees a block once.
        unsafe { free(std::ptr::null_mut(), block.cast()) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= ALIGNMENT {
            // SAFETY: alive, and Rust asks for no empty block.
            return unsafe { realloc(std::ptr::null_mut(), block.cast(), size as u64) }.cast();
        }
        // SAFETY: both blocks are alive; the copy stays inside them.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}
