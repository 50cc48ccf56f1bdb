import { realtimeNs } from '../../native/ts/clock.ts'
import { packAny } from '../../protocol/any.ts'
import { Metrics } from '../../protocol/gen/cgroups-v2.ts'
import type { SandboxMetricsRequest, SandboxMetricsResponse } from '../../protocol/gen/sandbox.ts'
import { timestamp } from '../../protocol/timestamp.ts'
import { sandboxMetrics } from '../task-service/stats.ts'
import type { SandboxContext } from './context.ts'
import { requireThis } from './create.ts'

/** SandboxMetrics: the same figures as the stats of a pause container. */
export async function metrics({ only }: SandboxContext, request: SandboxMetricsRequest): Promise<SandboxMetricsResponse> {
  requireThis(only.id, request.sandboxId)
  const data = packAny('io.containerd.cgroups.v2.Metrics', Metrics, await sandboxMetrics(only.sandbox))
  return { metrics: { timestamp: timestamp(realtimeNs()), id: only.id, data } }
}
