/** include/uapi/asm-generic/ioctls.h, include/uapi/linux/vhost.h, include/uapi/linux/loop.h. */
export const TIOCSCTTY = 0x540e
export const TIOCGWINSZ = 0x5413
export const TIOCSWINSZ = 0x5414
export const FIONREAD = 0x541b
export const TIOCSPTLCK = 0x40045431
export const TIOCGPTN = 0x80045430
export const TIOCGPTPEER = 0x5441
/** _IOW(VHOST_VIRTIO 0xAF, 0x60, __u64) */
export const VHOST_VSOCK_SET_GUEST_CID = 0x4008af60
export const LOOP_CTL_ADD = 0x4c80
