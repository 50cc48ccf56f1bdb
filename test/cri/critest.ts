/** critest as a table: one entry a spec, from ginkgo's JSON report. */
import { spawnSync } from 'node:child_process'
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { checkout } from '../e2e/stack.ts'
import type { ContainerdVersion, Stack } from '../e2e/stack.ts'
import type { Runtime } from '../e2e/matrix.ts'

const directory = `${checkout}/build/test/cri`

/** `failed` stands for every end that is neither: a panic, a time-out, an interruption. */
export interface SpecResult { state: 'passed' | 'failed' | 'skipped'; message: string; seconds: number }

/** The parts of ginkgo's report that are read (types/types.go of github.com/onsi/ginkgo/v2). */
interface GinkgoReport {
  SpecReports: {
    ContainerHierarchyTexts: string[] | null
    LeafNodeText: string
    LeafNodeType: string
    State: string
    RunTime: number
    Failure?: { Message?: string }
  }[]
}

/**
 * Runs critest with the handler and waits for its end. runc's result is kept in the cache by what it was made from:
 * it is the control and does not depend on this checkout.
 */
export function runCritest(version: ContainerdVersion, handler: Runtime): Map<string, SpecResult> {
  mkdirSync(directory, { recursive: true })
  const report = `${directory}/${handler}-${version}.json`
  const log = `${directory}/${handler}-${version}.log`
  rmSync(report, { force: true })
  const output = openSync(log, 'w')
  const parallel = process.env['KATA_TS_CRITEST_PARALLEL'] ?? '4'
  const flags = ['--containerd', version, '--handler', handler, '--parallel', parallel, '--report', report]
  spawnSync(`${checkout}/hack/critest`, handler === 'runc' ? [...flags, '--control'] : flags, { stdio: ['ignore', output, output] })
  closeSync(output)
  // Its exit code says whether a spec failed, which the report says too; without a report nothing ran.
  if (!existsSync(report)) throw new Error(`critest with ${handler} on containerd ${version} made no report: read ${log}`)
  return readReport(readFileSync(report, 'utf8'))
}

/** Keeps what containerd and the shims told: the stack's own log goes when the stack does. */
export function keepLog(stack: Stack): void {
  copyFileSync(`${stack.directory}/containerd.log`, `${directory}/containerd-${stack.version}.log`)
}

export function readReport(json: string): Map<string, SpecResult> {
  const suites = JSON.parse(json) as GinkgoReport[] // ginkgo wrote it
  const specs = suites.flatMap((suite) => suite.SpecReports).filter((spec) => spec.LeafNodeType === 'It')
  return new Map(specs.map((spec) => {
    const name = [...spec.ContainerHierarchyTexts ?? [], spec.LeafNodeText].join(' ')
    const state = spec.State === 'passed' || spec.State === 'skipped' ? spec.State : 'failed'
    return [name, { state, message: spec.Failure?.Message ?? '', seconds: spec.RunTime / 1e9 }]
  }))
}
