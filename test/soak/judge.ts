/** Compares what happened with what the model says. */
import type { Errand } from './errands.ts'
import type { Figures } from './figures.ts'

export interface Result { status: number; stdout: Buffer; stderr: Buffer }

/** `isControl`: runc's shim may lose output; its exit codes are held to the model all the same, for they are what the model is checked with. */
export function judge(figures: Figures, where: string, errand: Errand, result: Result, isControl: boolean): void {
  figures.exits++
  if (result.status !== errand.status) figures.found('wrong exit code', `${where}: ${errand.name} told ${result.status} instead of ${errand.status}: ${errand.script.slice(0, 100)}`)
  for (const stream of ['stdout', 'stderr'] as const) {
    const [expected, got] = [errand[stream], result[stream]]
    figures.comparedBytes += expected.length
    if (got.equals(expected)) continue
    const missing = expected.length - got.length
    if (isControl) figures.controlLosses++
    else if (missing > 0) {
      figures.lostBytes += missing
      figures.found('lost output', `${where}: ${errand.name}: ${stream} has ${got.length} of ${expected.length} bytes, ${isPrefix(got, expected) ? 'the end is missing' : `other bytes from ${firstDifference(got, expected)}`}`)
    } else figures.found('wrong output', `${where}: ${errand.name}: ${stream} differs from byte ${firstDifference(got, expected)}: ${JSON.stringify(got.subarray(firstDifference(got, expected)).toString().slice(0, 200))}`)
  }
}

/** What a lost sandbox had told must at least be the beginning of what was written. */
export function judgeBeginning(figures: Figures, where: string, errand: Errand, stdout: Buffer): void {
  if (!isPrefix(stdout, errand.stdout)) figures.found('wrong output', `${where}: ${errand.name}: differs from byte ${firstDifference(stdout, errand.stdout)} before the sandbox was lost`)
}

const isPrefix = (part: Buffer, whole: Buffer): boolean => part.length <= whole.length && part.equals(whole.subarray(0, part.length))

function firstDifference(a: Buffer, b: Buffer): number {
  const end = Math.min(a.length, b.length)
  for (let index = 0; index < end; index++) if (a[index] !== b[index]) return index
  return end
}
