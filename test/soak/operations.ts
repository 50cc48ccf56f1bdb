/** Steps that are no errands: each with the answer the model gives it. */
import { json } from '../e2e/container.ts'
import { randomErrand } from './errands.ts'
import type { Life } from './life.ts'
import { allOf, codeOf, errorOf, messageOf, pause, within } from './settle.ts'

const grpc = { unknown: 2, notFound: 5, alreadyExists: 6, failedPrecondition: 9 } as const
const answerMs = 90_000
const mebibyte = 1 << 20

/** Every answer to a wrong request that all runtimes agree on. */
const wrongRequests: Record<string, { call: (life: Life) => Promise<unknown>; codes: readonly number[] }> = {
  'delete while it runs': { call: (life) => life.stack.client.call('tasks.Delete', { container_id: life.id }), codes: [grpc.failedPrecondition] },
  'create again': {
    call: (life) => life.stack.client.call('tasks.Create', { container_id: life.id, rootfs: [], stdin: '', stdout: '', stderr: '', terminal: false }),
    codes: [grpc.alreadyExists],
  },
  'state of an unknown exec': { call: (life) => life.stack.client.call('tasks.Get', { container_id: life.id, exec_id: 'nobody' }), codes: [grpc.notFound] },
  'kill of an unknown exec': { call: (life) => life.stack.client.call('tasks.Kill', { container_id: life.id, exec_id: 'nobody', signal: 9, all: false }), codes: [grpc.notFound] },
  'state of an unknown task': { call: (life) => life.stack.client.call('tasks.Get', { container_id: 'e2e-nobody', exec_id: '' }), codes: [grpc.notFound] },
}

export async function askWrongly(life: Life): Promise<void> {
  const name = life.random.pick(Object.keys(wrongRequests))
  const request = wrongRequests[name]
  if (request === undefined) return
  life.did('wrong request')
  const error = await within(errorOf(request.call(life)), answerMs, name)
  const code = codeOf(error)
  // runc's shim has no code for some of its errors.
  const isRight = code !== undefined && (request.codes.includes(code) || (life.isControl && code === grpc.unknown))
  if (!isRight) {
    life.figures.found('wrong answer', `${life.where}: ${name} was answered ${error === undefined ? 'with success' : messageOf(error)}`)
  }
}

/** A paused container makes no progress, is told to be paused, and goes on where it was. */
export async function pauseAndResume(life: Life): Promise<void> {
  const errand = { name: 'counting', script: 'i=0; while read line; do echo "$line"; done; exit 4', input: Buffer.from('a\nb\n'), status: 4, stdout: Buffer.from('a\nb\n'), stderr: Buffer.alloc(0) }
  await life.leaveRunning(errand)
  life.did('pause')
  const refused = await errorOf(within(life.stack.client.call('tasks.Pause', { container_id: life.id }), answerMs, 'pause'))
  // runc gives up after a number of looks at a cgroup v1 that is still freezing (its own error), and thaws it again.
  if (refused !== undefined && life.isControl && messageOf(refused).includes('unable to freeze')) {
    life.figures.controlFreezes++
    return life.collect()
  }
  if (refused !== undefined) throw refused
  const { status } = await within(life.container.state(), answerMs, 'state')
  if (status !== 'PAUSED') life.figures.found('wrong answer', `${life.where}: a paused container is told to be ${status}`)
  await pause(life.random.between(0, 500))
  life.did('resume')
  await within(life.stack.client.call('tasks.Resume', { container_id: life.id }), answerMs, 'resume')
  await life.collect()
}

export async function update(life: Life): Promise<void> {
  life.did('update')
  const ask = (resources: object): Promise<unknown> => within(life.stack.client.call('tasks.Update', { container_id: life.id, resources: json('LinuxResources', resources) }), answerMs, 'update')
  // A container alone has a VM of the default size on a machine that cannot grow (shim/README.md): more is refused, and what was stays. A pod's grows.
  if (!life.isControl && life.isAlone && life.random.chance(0.2)) {
    const error = await errorOf(ask({ memory: { limit: 400 * mebibyte } }))
    if (error === undefined || !/cannot grow/.test(messageOf(error))) life.figures.found('wrong answer', `${life.where}: an update beyond the VM was answered ${error === undefined ? 'with success' : messageOf(error)}`)
    return
  }
  await ask(life.random.pick([
    { memory: { limit: life.random.between(64, 150) * mebibyte } }, { cpu: { shares: life.random.between(2, 2_000) } },
    { cpu: { quota: life.random.between(20, 200) * 1_000, period: 100_000 } }, { pids: { limit: life.random.between(60, 900) } },
  ]))
}

export async function look(life: Life): Promise<void> {
  life.did('look')
  const { client } = life.stack
  const [state, pids, metrics] = await within(Promise.all([
    life.container.state(), client.call('tasks.ListPids', { container_id: life.id }), client.call('tasks.Metrics', { filters: [`id==${life.id}`] }),
  ]), answerMs, 'state, pids and metrics')
  if (state.status !== 'RUNNING') life.figures.found('wrong answer', `${life.where}: a running container is told to be ${state.status}`)
  if (pids.processes.length === 0) life.figures.found('wrong answer', `${life.where}: no pids`)
  if (metrics.metrics.length !== 1) life.figures.found('wrong answer', `${life.where}: ${metrics.metrics.length} metrics`)
}

/**
 * A volume that is full: the program is told ENOSPC, and writes again when there is room. That is a moment after what filled it
 * was removed: FUSE tells the host of the last close when the program has gone on already.
 */
export async function fillVolume(life: Life): Promise<void> {
  life.didFault('ENOSPC in a volume')
  await life.run({
    name: 'full volume', status: 0, stderr: Buffer.alloc(0), stdout: Buffer.from('No space left on device\nroom again\n'),
    script: 'cat /dev/zero 2>/dev/null >/small/file && echo "a full volume took everything"; cat /dev/zero 2>&1 >/small/more | grep -o "No space left on device"; rm /small/file /small/more; i=0; until echo room again 2>/dev/null >/small/file || [ $i -eq 300 ]; do sleep 0.1; i=$((i+1)); done; cat /small/file; rm /small/file',
  })
}

/** A volume whose disk fails: the program is told EIO by fsync, and the sandbox lives on. */
export async function breakVolume(life: Life): Promise<void> {
  life.didFault('EIO in a volume')
  await life.run({
    name: 'failing volume', status: 1, stderr: Buffer.alloc(0), stdout: Buffer.from('Input/output error\nalive\n'),
    script: 'dd if=/dev/zero of=/failing/file bs=64k count=128 conv=fsync 2>&1 | grep -oi "input/output error" || dd if=/dev/zero of=/failing/file bs=64k count=128 conv=fsync 2>&1; rm -f /failing/file; echo alive; exit 1',
  })
}

export async function runSeveral(life: Life): Promise<void> {
  const errands = Array.from({ length: life.random.between(2, 5) }, () => randomErrand(life.random))
  await allOf(errands.map((errand) => life.run(errand)))
}
