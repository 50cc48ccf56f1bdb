import type { Answer, Behaviour, Hostile } from './hostile.ts'
import { attacksOf } from './packs.ts'

/** Told of each attack when it takes place, before anything else happens. */
type Tell = (agent: Hostile, attack: string) => void

/** What a guest does that is told to do `name`: an attack, or a pack of them. Undefined: there is no such attack. */
export function plan(name: string, attacks: Readonly<Record<string, Behaviour>>, tell: Tell): Behaviour | undefined {
  const chosen = attacksOf(name).flatMap(attack => {
    const behaviour = attacks[attack]
    return behaviour ? [told(attack, behaviour, tell)] : []
  })
  if (chosen.length <= 1) return chosen[0]
  return { at: { StatsContainer: (agent, call) => {
    const answer = chosen.shift()?.at?.['StatsContainer']
    if (answer) answer(agent, call)
    else agent.honestly(call)
  } } }
}

function told(attack: string, { at = {}, onStream, deafToStreams }: Behaviour, tell: Tell): Behaviour {
  const telling = (answer: Answer): Answer => (agent, call) => {
    tell(agent, attack)
    answer(agent, call)
  }
  return {
    at: Object.fromEntries(Object.entries(at).map(([method, answer]) => [method, telling(answer)])),
    ...(onStream && { onStream: (agent, stream, id) => { tell(agent, attack); onStream(agent, stream, id) } }),
    // It is deaf from the first container on: what is not done cannot be told when it is done.
    ...(deafToStreams && { deafToStreams, at: { CreateContainer: telling((agent, call) => agent.honestly(call)) } }),
  }
}
