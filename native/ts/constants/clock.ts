/** include/uapi/linux/time.h */
export const CLOCK_REALTIME = 0
export const CLOCK_MONOTONIC = 1
export const CLOCK_MONOTONIC_RAW = 4
export const CLOCK_BOOTTIME = 7
