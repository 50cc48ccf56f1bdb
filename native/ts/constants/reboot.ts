/** include/uapi/linux/reboot.h */
export const LINUX_REBOOT_CMD_RESTART = 0x01234567
export const LINUX_REBOOT_CMD_HALT = 0xcdef0123
export const LINUX_REBOOT_CMD_POWER_OFF = 0x4321fedc
