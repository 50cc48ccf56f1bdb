import { print } from './harness.ts'

/** Loaded by programs/faults.ts when it asks for it, and not before. */
print('loaded late\n')

export function throwLate(): never {
  throw new Error('thrown late')
}
