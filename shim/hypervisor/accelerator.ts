import * as sys from 'native:sys'
import { Fault } from '../../native/ts/fault.ts'
import { makeDirectories, readText, readTextIfPresent, replaceText } from '../../native/ts/file.ts'
import type { Config } from '../config/schema.ts'
import type { Log } from '../log.ts'

/** How the VMM runs the guest's instructions. */
export type Accelerator =
  | { kind: 'kvm' }
  /** Kernels under TCG on microvm cannot calibrate their TSC (no PIT): they are told the host's frequency. */
  | { kind: 'tcg'; tscKhz: number }

/** What one boot of this host was found to be; kept in `host.json` so that it is found out once. */
interface HostFacts {
  bootId: string
  tscKhz: number
  /** Absent until somebody asked for KVM. */
  kvm?: { usable: boolean; reason: string }
}

export const hostFactsPath = '/run/kata-ts/host.json'

/** A working KVM answers within a few milliseconds; the trial never gets more time than this. */
const trialTimeoutMs = 300

/**
 * The accelerator that the configuration asks for. `auto` means KVM where a trial guest really ran, and TCG, with a
 * warning that says why, where not. Throws Fault when KVM is demanded and not usable.
 */
export function chooseAccelerator(wanted: Config['hypervisor']['accelerator'], log: Log, path = hostFactsPath): Accelerator {
  const bootId = readText('/proc/sys/kernel/random/boot_id', 64).trim()
  const earlier = parseHostFacts(path)
  const known = earlier?.bootId === bootId ? earlier : undefined
  const facts: HostFacts = known ? { ...known } : { bootId, tscKhz: sys.tscKhz() }
  if (wanted !== 'tcg') facts.kvm ??= tryKvm()
  if (!known || facts.kvm !== known.kvm) keep(facts, log, path)
  if (wanted === 'tcg') return { kind: 'tcg', tscKhz: facts.tscKhz }
  if (facts.kvm?.usable) return { kind: 'kvm' }
  const reason = facts.kvm?.reason ?? 'not tried'
  if (wanted === 'kvm') {
    throw new Fault(`KVM is not usable: ${reason}`, { fix: 'set hypervisor.accelerator = "auto" to run without it, slowly' })
  }
  log.warn(`KVM is not usable (${reason}): the guest's instructions are emulated (TCG), which is slow`, { accelerator: 'tcg' })
  return { kind: 'tcg', tscKhz: facts.tscKhz }
}

function tryKvm(): { usable: boolean; reason: string } {
  const { usable, reason } = sys.kvmTrial(trialTimeoutMs)
  return { usable, reason }
}

function keep(facts: HostFacts, log: Log, path: string): void {
  try {
    makeDirectories(path.slice(0, path.lastIndexOf('/')), 0o711)
    replaceText(path, JSON.stringify(facts))
  } catch (error) {
    // Found out again next time, then: at worst some tens of milliseconds.
    log.debug(`cannot keep ${path}: ${String(error)}`)
  }
}

/** The facts that an earlier start left; undefined when there are none, or none that make sense. */
function parseHostFacts(path: string): HostFacts | undefined {
  let value: unknown
  try {
    value = JSON.parse(readTextIfPresent(path, 4096) ?? 'null')
  } catch {
    return undefined
  }
  const { bootId, kvm, tscKhz } = asRecord(value)
  const { usable, reason } = asRecord(kvm)
  if (typeof bootId !== 'string' || !isTscKhz(tscKhz)) return undefined
  return { bootId, tscKhz, ...(typeof usable === 'boolean' && typeof reason === 'string' && { kvm: { usable, reason } }) }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? value as Record<string, unknown> : {} // objects have string keys
}

/** 100 MHz to 20 GHz: anything else would hang the guest at boot. */
function isTscKhz(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 100_000 && value <= 20_000_000
}
