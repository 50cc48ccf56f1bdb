/** include/uapi/linux/close_range.h: marks close-on-exec in place of closing. */
export const CLOSE_RANGE_CLOEXEC = 4

/** The highest descriptor, as close_range(2) takes it (unsigned). */
export const lastFd = 0xffff_ffff
