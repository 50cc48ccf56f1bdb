/** What the soak counts, and what it found. Every finding fails the lane. */
export type FindingKind = 'lost output' | 'wrong output' | 'wrong exit code' | 'wrong answer' | 'no answer' | 'leak'

export class Figures {
  readonly operations = new Map<string, number>()
  readonly faults = new Map<string, number>()
  readonly findings: { kind: FindingKind; text: string }[] = []
  comparedBytes = 0
  lostBytes = 0
  exits = 0
  rounds = 0
  lives = 0
  controls = 0
  pods = 0
  /** runc's own losses of output under load (test/e2e/matrix.ts): the control's, and no finding. */
  controlLosses = 0
  /** Containers that runc could not freeze under load. */
  controlFreezes = 0

  operation(name: string): void { count(this.operations, name) }
  container(isControl: boolean): void {
    if (isControl) this.controls++
    else this.lives++
  }

  fault(name: string): void { count(this.faults, name) }

  found(kind: FindingKind, text: string): void {
    this.findings.push({ kind, text })
    console.log(`FOUND ${kind}: ${text}`)
  }

  of(kind: FindingKind): number { return this.findings.filter((finding) => finding.kind === kind).length }

  toString(): string {
    const list = (counts: Map<string, number>): string => [...counts].sort(([a], [b]) => a < b ? -1 : 1).map(([name, times]) => `${name} ${times}`).join(', ')
    return [
      `rounds: ${this.rounds}, containers: ${this.lives} kata-ts, ${this.controls} runc, in ${this.pods} pods and alone`,
      `operations: ${total(this.operations)} (${list(this.operations)})`,
      `faults: ${total(this.faults)} (${list(this.faults)})`,
      `exit codes compared: ${this.exits}, wrong: ${this.of('wrong exit code')}`,
      `output compared: ${this.comparedBytes} bytes, lost: ${this.lostBytes}, other than written: ${this.of('wrong output')}`,
      `answers other than the model's: ${this.of('wrong answer')}, none in time: ${this.of('no answer')}`,
      `leaks: ${this.of('leak')}`,
      ...(this.controlLosses > 0 ? [`runc's shim lost output ${this.controlLosses} times`] : []),
      ...(this.controlFreezes > 0 ? [`runc could not freeze a container ${this.controlFreezes} times`] : []),
    ].join('\n')
  }
}

function count(counts: Map<string, number>, name: string): void { counts.set(name, (counts.get(name) ?? 0) + 1) }
function total(counts: Map<string, number>): number { return [...counts.values()].reduce((sum, times) => sum + times, 0) }
