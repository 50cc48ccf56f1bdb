import { expect, it } from 'vitest'
import { containerSysctls, sandboxSysctls } from './sysctl.ts'

const sysctls = { 'net.ipv4.ip_unprivileged_port_start': '0', 'kernel.shm_rmid_forced': '1' }

it("sets a pause container's sysctls for the pod, and of another first container only those of the network", () => {
  expect(sandboxSysctls(sysctls, { isPause: true })).toEqual(sysctls)
  const ofSandbox = sandboxSysctls(sysctls, { isPause: false })
  expect(ofSandbox).toEqual({ 'net.ipv4.ip_unprivileged_port_start': '0' })
  expect(containerSysctls(sysctls, ofSandbox)).toEqual({ 'kernel.shm_rmid_forced': '1' })
})

it.each(['vm.swappiness', 'kernel.core_pattern', 'net/../kernel/core_pattern'])('refuses %s for a pod, and leaves it to the agent to refuse for a container', key => {
  expect(() => sandboxSysctls({ [key]: '1' }, { isPause: true })).toThrow(`sysctl ${key} is not of a pod's namespace`)
  expect(sandboxSysctls({ [key]: '1' }, { isPause: false })).toEqual({})
})
