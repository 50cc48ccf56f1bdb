import { SIGKILL } from '../../native/ts/constants/signal.ts'
import { Fault, story } from '../../native/ts/fault.ts'
import type { Container } from './container.ts'
import { hookState } from './hooks/state.ts'
import { runHooks } from './hooks/run.ts'
import { unmountRoot } from './rootfs/inherited-root.ts'

/**
 * Removes what create made (runtime.md#delete): the processes that are left, then the cgroup; the mounts went
 * with the mount namespace. Throws Fault for a container that runs, unless `force` kills it first. poststop hooks
 * that fail are warnings (config.md#poststop). Reaping init stays with the caller.
 */
export async function deleteContainer(container: Container, force: boolean): Promise<void> {
  const status = container.status()
  if (status !== 'stopped' && !force) throw new Fault(`container ${container.id} cannot be deleted: it is ${status}`, { fix: 'stop it first, or force the deletion' })
  container.closeLink()
  container.init.kill(SIGKILL)
  // Without a pid namespace of its own, processes outlive init; and frozen ones would not die of a signal on cgroup v1.
  container.cgroup.killAll(SIGKILL)
  if (status === 'paused') await container.cgroup.thaw()
  await container.cgroup.delete()
  container.init.close()
  if (container.rootMount) unmountRoot(container.rootMount.path, container.rootMount.before)
  const { id, bundle, spec } = container
  const state = hookState({ id, bundle, annotations: spec.annotations ?? {} }, 'stopped', 0)
  for (const hook of spec.hooks?.poststop ?? []) await runHooks('poststop', [hook], state).catch((error: unknown) => container.warn(story(error)))
}
