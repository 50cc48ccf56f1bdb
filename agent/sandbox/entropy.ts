import * as sys from 'native:sys'
import { check } from '../../native/ts/errno.ts'
import { invalid } from '../refusal.ts'

/** 256 bits: what the kernel's generator needs to be seeded (random(4)). */
const minBytes = 32
const maxBytes = 4096

/** Credits the host's entropy to the guest's generator, so that nobody waits for a seed and no two guests share one. */
export function seedRandom(entropy: Uint8Array): void {
  if (entropy.length < minBytes || entropy.length > maxBytes) throw invalid(`entropy has ${entropy.length} bytes; give ${minBytes} to ${maxBytes}`)
  check('ioctl RNDADDENTROPY', '/dev/random', sys.addEntropy(entropy))
}
