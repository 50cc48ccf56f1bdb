/** include/uapi/linux/if_tun.h, if.h */
export const TUNSETIFF = 0x400454ca
export const IFF_TAP = 0x2
export const IFF_NO_PI = 0x1000
export const IFF_VNET_HDR = 0x4000
/** IFNAMSIZ, and struct ifreq's size: the name, then the largest of its union. */
export const IFNAMSIZ = 16
export const ifreqBytes = 40
/** include/uapi/linux/nsfs.h, magic.h */
export const NS_GET_NSTYPE = 0xb703
export const NSFS_MAGIC = 0x6e736673
