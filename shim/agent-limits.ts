import { type Config, schema } from './config/schema.ts'

/** How long the shim waits for the agent before it goes on without it. The guest is hostile: every wait has an end. */
export interface AgentLimits {
  /** Making or starting something: a container, a process, the sandbox itself. */
  createMs: number
  /** Every other answer. */
  callMs: number
  /** From SIGKILL to the end of the process, before the VM is ended in its place. */
  killMs: number
  /** The output of a process that has ended, in all. */
  outputMs: number
}

/** Those of a configuration. */
export function agentLimits(agent: Pick<Config['agent'], 'createTimeoutMs' | 'callTimeoutMs' | 'killTimeoutMs' | 'outputTimeoutMs'>): AgentLimits {
  return { createMs: agent.createTimeoutMs, callMs: agent.callTimeoutMs, killMs: agent.killTimeoutMs, outputMs: agent.outputTimeoutMs }
}

const { createTimeoutMs, callTimeoutMs, killTimeoutMs, outputTimeoutMs } = schema.agent

/** The configuration's own: making a process takes a guest seconds on a loaded host that emulates it. */
export const defaultAgentLimits = agentLimits({
  createTimeoutMs: createTimeoutMs.fallback, callTimeoutMs: callTimeoutMs.fallback, killTimeoutMs: killTimeoutMs.fallback, outputTimeoutMs: outputTimeoutMs.fallback,
})

/**
 * The longest frame that an agent has reason to send: figures of a container with hundreds of disks take 20 KiB. Two bytes
 * can stand for a message that takes QuickJS 200, so this bounds the heap that an answer costs to some 6 MiB.
 */
export const agentAnswerBytesMax = 64 * 1024

/** What may wait for an agent that does not read: all volumes that a sandbox may have (storage/guest-volumes.ts), changed at once, and what else is asked meanwhile. */
export const agentBacklogBytesMax = 20 * 1024 * 1024
