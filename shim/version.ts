/** The binary's name, as containerd derives it from the runtime `io.containerd.kata-ts.v2`. */
export const shimName = 'containerd-shim-kata-ts-v2'

/** Same as package.json's. */
export const version = '0.1.0'
