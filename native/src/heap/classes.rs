//! Sizes of blocks: steps of 16 bytes up to 256, then four steps for each doubling.

const STEP: usize = 16;
const SMALL_CLASSES: usize = 16;
/// 320, 384, 448, 512, 640 … 4096.
const LARGE_CLASSES: usize = 16;
pub const COUNT: usize = SMALL_CLASSES + LARGE_CLASSES;
pub const MAX_SIZE: usize = 4096;

/// The class whose blocks hold `size` bytes; None above MAX_SIZE.
pub fn class_of(size: usize) -> Option<usize> {
    match size {
        0..=256 => Some(size.saturating_sub(1) / STEP),
        257..=MAX_SIZE => {
            // Between 2^power and 2^(power+1) lie four classes, a quarter of 2^power apart.
            let power = (size - 1).ilog2() as usize;
            let quarter = (size - 1 - (1 << power)) >> (power - 2);
            Some(SMALL_CLASSES + (power - 8) * 4 + quarter)
        }
        _ => None,
    }
}

pub fn size_of(class: usize) -> usize {
    match class.checked_sub(SMALL_CLASSES) {
        None => (class + 1) * STEP,
        Some(large) => (1 << (large / 4 + 8)) / 4 * (large % 4 + 5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_the_smallest_class_that_holds_it() {
        for size in 1..=MAX_SIZE {
            let class = class_of(size).expect("a class");
            assert!(size_of(class) >= size, "{size} in class {class} of {}", size_of(class));
            assert!(class == 0 || size_of(class - 1) < size, "{size} fits class {}", class - 1);
            assert!(class < COUNT);
        }
        assert_eq!(class_of(0), Some(0));
        assert_eq!(class_of(MAX_SIZE + 1), None);
    }

    #[test]
    fn sizes_keep_blocks_aligned_to_16() {
        for class in 0..COUNT {
            assert_eq!(size_of(class) % 16, 0);
        }
        assert_eq!(size_of(COUNT - 1), MAX_SIZE);
    }
}
