//! The JavaScript heap's allocator: size classes over spans of one reserved range of addresses.
//!
//! libc's allocator maps and unmaps groups of a few pages, which in a guest under TCG was a fifth of the agent's
//! start. Here a small block costs a few instructions, and memory comes from the kernel in steps of a span.
//!
//! ```text
//!   arena: | span | span | span | …            (spans of 64 KiB, aligned to their size)
//!   span:  | header | block | block | … |      (blocks of one size class; free ones are linked)
//! ```
//! A block's span, and so its size, is found by rounding its address down. Blocks above the largest class come
//! from libc. One thread, no locks.

mod classes;
mod spans;

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
        // SAFETY: any size is allowed.
        _ => unsafe { libc::malloc(size).cast() },
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
        return unsafe { libc::calloc(1, bytes) };
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
        // SAFETY: a block of libc's stays one.
        return unsafe { libc::realloc(block, size as usize) };
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
