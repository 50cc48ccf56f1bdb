use std::ptr;

use super::classes::{self, COUNT};

/// Address range of the arena: only what is touched costs memory. A heap beyond it goes on with libc.
const ARENA_BYTES: usize = 1 << 30;
const SPAN_BYTES: usize = 64 * 1024;
/// Memory that a fresh span takes from the kernel at once: fewer page faults for a little unused memory.
const POPULATED_BYTES: usize = 16 * 1024;

/// The class of a block that has spans of its own.
const LARGE: u32 = u32::MAX;

/// At the start of each span, or of a row of them that is one large block.
#[repr(C, align(16))]
struct Span {
    class: u32,
    /// Blocks in use; spans of a large block.
    used: u32,
    /// Free blocks, linked through their first word.
    free: *mut u8,
    /// Blocks from here to the span's end were never used.
    fresh: *mut u8,
    /// Spans of the same class that have room, doubly linked.
    next: *mut Span,
    previous: *mut Span,
    in_list: bool,
}

pub struct Arena {
    start: usize,
    end: usize,
    /// Spans from here on were never used.
    fresh: usize,
    /// Spans without a block in use, linked by `next`; their memory went back to the kernel.
    empty: *mut Span,
    /// For each class the spans that have room.
    open: [*mut Span; COUNT],
}

impl Arena {
    pub const fn new() -> Self {
        Arena { start: 0, end: 0, fresh: 0, empty: ptr::null_mut(), open: [ptr::null_mut(); COUNT] }
    }

    pub fn holds(&self, block: *const u8) -> bool {
        (self.start..self.end).contains(&(block as usize))
    }

    /// NULL when the arena is used up.
    pub fn allocate(&mut self, class: usize) -> *mut u8 {
        let mut span = self.open[class];
        if span.is_null() {
            span = self.open_span(class);
            if span.is_null() {
                return ptr::null_mut();
            }
        }
        // SAFETY: an open span has a free block or a fresh one; both lie inside it.
        unsafe {
            let block = (*span).free;
            let block = if block.is_null() {
                let fresh = (*span).fresh;
                (*span).fresh = fresh.add(classes::size_of(class));
                fresh
            } else {
                (*span).free = block.cast::<*mut u8>().read();
                block
            };
            (*span).used += 1;
            if !has_room(span) {
                self.unlink(span);
            }
            block
        }
    }

    /// A block of any size, in spans of its own: for when libc has none. NULL when the arena is used up.
    pub fn allocate_large(&mut self, size: usize) -> *mut u8 {
        if self.start == 0 {
            self.reserve();
        }
        let Some(spans) = size.checked_add(size_of::<Span>()).map(|bytes| bytes.div_ceil(SPAN_BYTES)) else { return ptr::null_mut() };
        if spans > (self.end - self.fresh) / SPAN_BYTES {
            return ptr::null_mut();
        }
        let span = self.fresh as *mut Span;
        self.fresh += spans * SPAN_BYTES;
        let null = ptr::null_mut();
        // SAFETY: the spans are ours alone.
        unsafe {
            span.write(Span { class: LARGE, used: spans as u32, free: ptr::null_mut(), fresh: ptr::null_mut(), next: null, previous: null, in_list: false });
            span.add(1).cast()
        }
    }

    /// # Safety
    /// `block` came from `allocate` or `allocate_large` and is given back once.
    pub unsafe fn free(&mut self, block: *mut u8) {
        let span = span_of(block);
        // SAFETY: every block of the arena lies in a span whose header is valid.
        unsafe {
            if (*span).class == LARGE {
                for index in 0..(*span).used as usize {
                    self.put_aside(span.cast::<u8>().add(index * SPAN_BYTES).cast());
                }
                return;
            }
            block.cast::<*mut u8>().write((*span).free);
            (*span).free = block;
            (*span).used -= 1;
            if !(*span).in_list {
                self.link(span);
            }
            // The last open span of a class stays: what comes and goes would map and unmap it each time.
            let alone = (*span).next.is_null() && (*span).previous.is_null();
            if (*span).used == 0 && !alone {
                self.retire(span);
            }
        }
    }

    /// # Safety
    /// `block` came from `allocate` or `allocate_large`.
    pub unsafe fn size_of(&self, block: *const u8) -> usize {
        // SAFETY: its span's header is valid.
        let (class, used) = unsafe { ((*span_of(block.cast_mut())).class, (*span_of(block.cast_mut())).used) };
        if class == LARGE { used as usize * SPAN_BYTES - size_of::<Span>() } else { classes::size_of(class as usize) }
    }

    fn open_span(&mut self, class: usize) -> *mut Span {
        let span = if self.empty.is_null() {
            self.fresh_span()
        } else {
            let span = self.empty;
            // SAFETY: headers of empty spans are valid.
            self.empty = unsafe { (*span).next };
            span
        };
        if !span.is_null() {
            // SAFETY: the span is ours alone; the first block comes behind the header.
            unsafe {
                let fresh = span.cast::<u8>().add(size_of::<Span>());
                span.write(Span {
                    class: class as u32,
                    used: 0,
                    free: ptr::null_mut(),
                    fresh,
                    next: ptr::null_mut(),
                    previous: ptr::null_mut(),
                    in_list: false,
                });
                self.link(span);
            }
        }
        span
    }

    fn fresh_span(&mut self) -> *mut Span {
        if self.start == 0 {
            self.reserve();
        }
        if self.fresh + SPAN_BYTES > self.end {
            return ptr::null_mut();
        }
        let span = self.fresh as *mut Span;
        self.fresh += SPAN_BYTES;
        // SAFETY: inside the reserved range. A kernel before 5.14 refuses, and pages come one by one.
        unsafe { libc::madvise(span.cast(), POPULATED_BYTES, libc::MADV_POPULATE_WRITE) };
        span
    }

    /// Without memory nothing is reserved, and every block comes from libc.
    fn reserve(&mut self) {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping.
        let mapped = unsafe { libc::mmap(ptr::null_mut(), ARENA_BYTES, access, flags, -1, 0) };
        if mapped != libc::MAP_FAILED {
            // A huge page would make the first few kilobytes cost 2 MiB.
            // SAFETY: the range mapped above.
            unsafe { libc::madvise(mapped, ARENA_BYTES, libc::MADV_NOHUGEPAGE) };
            self.start = (mapped as usize).next_multiple_of(SPAN_BYTES);
            self.end = mapped as usize + ARENA_BYTES;
            self.fresh = self.start;
        }
    }

    unsafe fn retire(&mut self, span: *mut Span) {
        // SAFETY: no block of the span is in use.
        unsafe {
            self.unlink(span);
            self.put_aside(span);
        }
    }

    /// Gives the memory of an unused span back to the kernel, but for the page of its header.
    unsafe fn put_aside(&mut self, span: *mut Span) {
        const PAGE: usize = 4096;
        // SAFETY: no block of the span is in use.
        unsafe {
            libc::madvise(span.cast::<u8>().add(PAGE).cast(), SPAN_BYTES - PAGE, libc::MADV_DONTNEED);
            (*span).next = self.empty;
        }
        self.empty = span;
    }

    unsafe fn link(&mut self, span: *mut Span) {
        // SAFETY: headers of listed spans are valid.
        unsafe {
            let first = self.open[(*span).class as usize];
            (*span).next = first;
            (*span).previous = ptr::null_mut();
            (*span).in_list = true;
            if !first.is_null() {
                (*first).previous = span;
            }
            self.open[(*span).class as usize] = span;
        }
    }

    unsafe fn unlink(&mut self, span: *mut Span) {
        // SAFETY: headers of listed spans are valid.
        unsafe {
            let (next, previous) = ((*span).next, (*span).previous);
            if previous.is_null() {
                self.open[(*span).class as usize] = next;
            } else {
                (*previous).next = next;
            }
            if !next.is_null() {
                (*next).previous = previous;
            }
            (*span).next = ptr::null_mut();
            (*span).previous = ptr::null_mut();
            (*span).in_list = false;
        }
    }
}

fn span_of(block: *mut u8) -> *mut Span {
    block.map_addr(|address| address & !(SPAN_BYTES - 1)).cast()
}

/// # Safety
/// `span` is a valid header.
unsafe fn has_room(span: *mut Span) -> bool {
    // SAFETY: the span ends SPAN_BYTES behind its header.
    unsafe {
        let left = span as usize + SPAN_BYTES - (*span).fresh as usize;
        !(*span).free.is_null() || left >= classes::size_of((*span).class as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator, so that failures repeat.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % limit as u64) as usize
        }
    }

    #[test]
    fn blocks_never_overlap_and_keep_their_bytes() {
        let mut arena = Arena::new();
        let mut random = Random(88_172_645_463_325_252);
        let mut live: Vec<(*mut u8, usize, u8)> = Vec::new();
        for round in 0..300_000usize {
            // Grows, then shrinks, several times over.
            if random.below(100) < if round / 30_000 % 2 == 0 { 60 } else { 40 } {
                let size = 1 + random.below(classes::MAX_SIZE);
                let class = classes::class_of(size).expect("a class");
                let block = arena.allocate(class);
                assert!(!block.is_null() && block as usize % 16 == 0 && arena.holds(block));
                // SAFETY: the block has `size` bytes.
                unsafe { block.write_bytes(round as u8, size) };
                live.push((block, size, round as u8));
            } else if !live.is_empty() {
                let (block, size, mark) = live.swap_remove(random.below(live.len()));
                // SAFETY: alive until the free below.
                unsafe {
                    assert!(std::slice::from_raw_parts(block, size).iter().all(|byte| *byte == mark));
                    assert!(arena.size_of(block) >= size);
                    arena.free(block);
                }
            }
        }
    }

    #[test]
    fn large_blocks_hold_what_was_asked_for_and_leave_their_spans_to_small_ones() {
        let mut arena = Arena::new();
        for size in [4097, SPAN_BYTES - 64, SPAN_BYTES, 5 * SPAN_BYTES] {
            let block = arena.allocate_large(size);
            assert!(block as usize % 16 == 0 && arena.holds(block));
            // SAFETY: the block has `size` bytes until the free.
            unsafe {
                block.write_bytes(1, size);
                assert!(arena.size_of(block) >= size);
                arena.free(block);
            }
        }
        let used = arena.fresh;
        assert!(!arena.allocate(0).is_null());
        assert_eq!(arena.fresh, used);
        assert!(arena.allocate_large(usize::MAX).is_null() && arena.allocate_large(ARENA_BYTES).is_null());
    }

    #[test]
    fn freed_memory_is_used_again() {
        let mut arena = Arena::new();
        for _ in 0..20 {
            let blocks: Vec<_> = (0..10_000).map(|_| arena.allocate(3)).collect();
            for block in blocks {
                // SAFETY: each once.
                unsafe { arena.free(block) };
            }
        }
        // 10,000 blocks of 64 bytes take ten spans; one more for rounding.
        assert!((arena.fresh - arena.start) / SPAN_BYTES <= 11);
    }

    #[test]
    fn a_span_of_one_class_serves_another_when_it_is_empty() {
        let mut arena = Arena::new();
        for class in 0..COUNT {
            let blocks: Vec<_> = (0..200_000 / classes::size_of(class)).map(|_| arena.allocate(class)).collect();
            for block in blocks {
                // SAFETY: each once.
                unsafe { arena.free(block) };
            }
        }
        // One open span a class, and a few that went round.
        assert!((arena.fresh - arena.start) / SPAN_BYTES <= COUNT + 5);
    }
}
