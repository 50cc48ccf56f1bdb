import { execFileSync } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { contained, escaped, type Attack } from '../../attack.ts'
import { install, program } from '../../programs.ts'
import { shareHostNamespace } from '../../spec-changes.ts'

export const attack: Attack = {
  id: 'host-ipc',
  title: 'a pod that asks for the host\'s IPC namespace takes a message from a queue of the host\'s',
  family: 'author',
  leak: 'shared memory, queues and semaphores of the host\'s programs',
  bound: 'container',
  control: { weak: 'runc, which gives it' },
  async run(site) {
    const key = String(0x6b740000 + Math.floor(Math.random() * 0xffff))
    execFileSync(program('message-queue'), ['send', key, site.secret])
    onTestFinished(() => { try { execFileSync(program('message-queue'), ['receive', key], { stdio: 'ignore' }) } catch { /* the attacker took it, and the queue with it */ } })
    const { stdout, stderr, refusal } = await site.attempt({
      args: ['/attack/message-queue', 'receive', key], rootfs: (layer) => install(layer, 'message-queue'), spec: (spec) => shareHostNamespace(spec, 'ipc'),
    })
    if (refusal !== undefined) return contained(`refused: ${refusal}`)
    return stdout.includes(site.secret) ? escaped('the host\'s message was taken from its queue') : contained(`taken, but the host's queue is not there: ${stderr}`)
  },
}
