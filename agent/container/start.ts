import { Fault, story } from '../../native/ts/fault.ts'
import type { Container } from './container.ts'
import { filterHolder } from './filter-holder.ts'
import { hookState } from './hooks/state.ts'
import { runHooks } from './hooks/run.ts'

/**
 * Lets init become the user's program (runtime.md#start). Rejects with init's own error when it could not; init has
 * then ended. A poststart hook that fails is a warning, as the program runs already (config.md#poststart).
 */
export async function startContainer(container: Container): Promise<void> {
  const taken = container.takeLink()
  if (!taken) throw new Fault(`container ${container.id} is not waiting for its start`, { fix: 'create it first' })
  using link = taken
  link.tell({ type: 'start' })
  await link.expectEnd(filterHolder(container, container.init, 'created'))
  const hooks = container.spec.hooks?.poststart ?? []
  if (hooks.length === 0) return
  const { id, bundle, spec } = container
  const state = hookState({ id, bundle, annotations: spec.annotations ?? {} }, 'running', container.init.pid)
  for (const hook of hooks) await runHooks('poststart', [hook], state).catch((error: unknown) => container.warn(story(error)))
}
