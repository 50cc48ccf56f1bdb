import { expect, it } from 'vitest'
import { parseKernelCommandLine } from './kernel-command-line.ts'

it.each([
  ['console=ttyS0 quiet\n', { controlPort: 1024, debug: false }],
  ['kata_ts.control_port=4711 quiet kata_ts.debug', { controlPort: 4711, debug: true }],
  ['kata_ts.control_port=x kata_ts.control_port=', { controlPort: 1024, debug: false }],
  ['', { controlPort: 1024, debug: false }],
])('the kernel command line %j means %j', (text, options) => {
  expect(parseKernelCommandLine(text)).toEqual(options)
})
