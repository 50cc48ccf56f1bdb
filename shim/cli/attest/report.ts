/** `ok`: as it should be. `weak`: works, and protects less than it could. `failed`: a promise does not hold here. */
export type Verdict = 'ok' | 'weak' | 'failed'

/** One thing that was looked at. */
export interface Finding {
  id: string
  verdict: Verdict
  /** What was seen, on one line. */
  evidence: string
  /** What to do about it, where it is not ok. */
  fix?: string
}

/** What `kata-ts attest` prints: for people, one line a finding and one for its fix. Pure. */
export function reportText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ id }) => id.length))
  const lines = findings.flatMap(({ id, verdict, evidence, fix }) => [
    `${verdict.padEnd(6)}  ${id.padEnd(width)}  ${evidence}`,
    ...(fix !== undefined && verdict !== 'ok' ? [`${' '.repeat(8 + width)}  → ${fix}`] : []),
  ])
  return [...lines, '', summary(findings)].join('\n')
}

/** For programs. Pure. */
export function reportJson(findings: readonly Finding[]): string {
  return JSON.stringify({ verdict: worst(findings), findings }, undefined, 2)
}

/** The whole report's verdict: its worst finding's. */
export function worst(findings: readonly Finding[]): Verdict {
  return (['failed', 'weak'] as const).find(verdict => findings.some(finding => finding.verdict === verdict)) ?? 'ok'
}

function summary(findings: readonly Finding[]): string {
  const count = (verdict: Verdict): number => findings.filter(finding => finding.verdict === verdict).length
  return `${findings.length} findings: ${count('ok')} ok, ${count('weak')} weak, ${count('failed')} failed`
}
