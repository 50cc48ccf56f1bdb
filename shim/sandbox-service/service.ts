import { monotonicMs } from '../../native/ts/clock.ts'
import { SandboxDefinition } from '../../protocol/gen/sandbox.ts'
import type { Server } from '../../protocol/ttrpc/server.ts'
import type { SandboxContext } from './context.ts'
import { create } from './create.ts'
import { metrics } from './metrics.ts'
import { ping } from './ping.ts'
import { platform } from './platform.ts'
import { shutdown } from './shutdown.ts'
import { start } from './start.ts'
import { status } from './status.ts'
import { stop } from './stop.ts'
import { update } from './update.ts'
import { wait } from './wait.ts'

/**
 * The sandbox service of containerd 2.x (`sandboxer = "shim"`): a pod without a pause container.
 *
 *   CreateSandbox ─▶ StartSandbox ─▶ (tasks of containers) ─▶ StopSandbox ─▶ ShutdownSandbox
 *                     └▶ WaitSandbox, SandboxStatus, PingSandbox, SandboxMetrics, at any time
 */
export function registerSandboxService(server: Server, context: SandboxContext): void {
  const on = <Request, Response>(name: string, method: (context: SandboxContext, request: Request) => Promise<Response>) =>
    async (request: Request): Promise<Response> => {
      const sinceMs = monotonicMs()
      try {
        return await method(context, request)
      } catch (error) {
        throw context.only.made ? await context.only.made.explain(error) : error
      } finally {
        if (context.log.enabled('debug')) context.log.debug('sandbox request', { method: name, ms: Math.round((monotonicMs() - sinceMs) * 100) / 100 })
      }
    }
  server.register(SandboxDefinition, {
    createSandbox: on('createSandbox', create),
    startSandbox: on('startSandbox', start),
    platform: on('platform', platform),
    stopSandbox: on('stopSandbox', stop),
    waitSandbox: on('waitSandbox', wait),
    sandboxStatus: on('sandboxStatus', status),
    pingSandbox: on('pingSandbox', ping),
    shutdownSandbox: on('shutdownSandbox', shutdown),
    sandboxMetrics: on('sandboxMetrics', metrics),
    // containerd up to 2.2 does not ask its shims; a resize comes as an update of the containers.
    updateSandbox: on('updateSandbox', update),
  })
}
