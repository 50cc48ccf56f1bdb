/** vsock port of the host that the agent dials. */
export const defaultControlPort = 1024

export interface BootOptions {
  controlPort: number
  /** Marks of the start-up on the console. */
  debug: boolean
}

/** Our own words in /proc/cmdline: `kata_ts.control_port=<n>`, `kata_ts.debug`. Malformed ones are ignored: the default may still work. */
export function parseKernelCommandLine(text: string): BootOptions {
  const options: BootOptions = { controlPort: defaultControlPort, debug: false }
  for (const word of text.trim().split(/\s+/)) {
    const port = /^kata_ts\.control_port=(\d{1,10})$/.exec(word)
    if (port) options.controlPort = Number(port[1])
    else if (word === 'kata_ts.debug') options.debug = true
  }
  return options
}
