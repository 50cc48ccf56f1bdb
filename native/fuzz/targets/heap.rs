//! The JavaScript heap's allocator: blocks never overlap, keep their bytes when they grow, and are aligned.
#![cfg_attr(feature = "libfuzzer", no_main)]

use std::ptr::null_mut;

use kata_ts_native_fuzz::heap::FUNCTIONS;
use kata_ts_native_fuzz::input::Input;
use kata_ts_native_fuzz::fuzz_target;

struct Block {
    start: *mut u8,
    size: usize,
    mark: u8,
}

impl Block {
    fn fill(&mut self, mark: u8) {
        self.mark = mark;
        // SAFETY: the block has `size` bytes.
        unsafe { self.start.write_bytes(mark, self.size) }
    }

    fn check(&self, length: usize) {
        // SAFETY: the block has at least `length` bytes.
        let bytes = unsafe { std::slice::from_raw_parts(self.start, length) };
        assert!(bytes.iter().all(|byte| *byte == self.mark), "another block's bytes");
    }
}

fuzz_target!(|data: &[u8]| {
    let (malloc, calloc) = (FUNCTIONS.js_malloc.expect("malloc"), FUNCTIONS.js_calloc.expect("calloc"));
    let (free, realloc) = (FUNCTIONS.js_free.expect("free"), FUNCTIONS.js_realloc.expect("realloc"));
    let usable = FUNCTIONS.js_malloc_usable_size.expect("usable size");
    let mut input = Input::new(data);
    let mut blocks: Vec<Block> = Vec::new();
    let mut mark = 0u8;
    while !input.is_empty() {
        let what = input.byte();
        let size = if what & 0x80 == 0 { input.below(600) } else { input.below(9000) };
        mark = mark.wrapping_add(1);
        // SAFETY: the allocator's contract is kept: each block is given back once.
        unsafe {
            match what % 4 {
                0 | 1 => {
                    let zeroed = what % 4 == 1;
                    let start: *mut u8 = if zeroed { calloc(null_mut(), 1, size as u64) } else { malloc(null_mut(), size as u64) }.cast();
                    assert!(!start.is_null() && start.addr() % 16 == 0 && usable(start.cast()) >= size as u64);
                    let mut block = Block { start, size, mark: 0 };
                    if zeroed {
                        block.check(size);
                    }
                    block.fill(mark);
                    blocks.push(block);
                }
                2 if !blocks.is_empty() => {
                    let block = blocks.swap_remove(size % blocks.len());
                    block.check(block.size);
                    free(null_mut(), block.start.cast());
                }
                _ if !blocks.is_empty() => {
                    let index = usize::from(input.byte()) % blocks.len();
                    let block = &mut blocks[index];
                    let wanted = size.max(1);
                    block.start = realloc(null_mut(), block.start.cast(), wanted as u64).cast();
                    block.check(block.size.min(wanted));
                    block.size = wanted;
                    block.fill(mark);
                }
                _ => {}
            }
        }
    }
    for block in blocks {
        block.check(block.size);
        // SAFETY: each once.
        unsafe { free(null_mut(), block.start.cast()) };
    }
});
