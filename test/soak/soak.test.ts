/**
 * Containers, alone and in pods, through hours of operations and faults at random, each answer held to a model. Faults: full disks, disks
 * that fail, no descriptors, parts of the sandbox and containerd killed or stopped, the guest's clock set elsewhere.
 */
import { afterAll, expect, it } from 'vitest'
import { expectNothingLeft, leaked, takeInventory } from '../e2e/leaks.ts'
import type { Lane } from '../e2e/matrix.ts'
import { Stack } from '../e2e/stack.ts'
import { Figures } from './figures.ts'
import { Gate } from './gate.ts'
import { setStateLimit } from './faults.ts'
import { Life } from './life.ts'
import { Random } from './random.ts'
import { live } from './round.ts'
import { errorOf, messageOf } from './settle.ts'
import { onlyRound, soakContainerd, soakSeconds, soakSeed } from './settings.ts'

const containerd = soakContainerd()
const wasUp = Stack.isUp(containerd)
const stack = Stack.open(containerd)
afterAll(() => {
  stack.client.close()
  if (!wasUp) Stack.down(containerd)
})

/** Containers of other tests on the machine: the names of all begin alike, with the pid of who made them. */
const others = new RegExp(`\\be2e-pods\\b|\\be2e-(?!${process.pid}-)\\d+-[0-9a-f]{8}`)

/** Guests at a time: emulated ones take a core each. */
const sideBySide = 2

it(`goes on for ${soakSeconds} s (seed ${soakSeed}, containerd ${containerd}) with 0 leaks, 0 bytes lost and 0 wrong answers`, async () => {
  const figures = new Figures()
  const began = Date.now()
  setStateLimit(stack, undefined)
  let before = takeInventory(stack)
  const goesOn = (round: number): boolean => onlyRound === undefined ? (Date.now() - began) / 1000 < soakSeconds : round === 0
  for (let index = 0; goesOn(index); index++) {
    const round = onlyRound ?? index
    const lives = livesOf(round, figures)
    await Promise.all(lives.map(live))
    figures.rounds++
    const left = await errorOf(expectNothingLeft(stack, before, others))
    if (left !== undefined) {
      figures.found('leak', `round ${round}: ${messageOf(left)}`)
      before = takeInventory(stack) // told once
    }
    console.log(`${((Date.now() - began) / 1000).toFixed(0)} s, round ${round}: ${lives.map((life) => life.history.join(' → ')).join(' ∥ ')}`)
  }
  console.log(`soak: ${((Date.now() - began) / 1000).toFixed(0)} s, seed ${soakSeed}, containerd ${containerd}\n${figures.toString()}`)
  expect(Object.keys(leaked(before, takeInventory(stack), others))).toEqual([])
  expect(figures.findings).toEqual([])
})

/** The round's containers; a round's seed depends on nothing that happened before it. */
function livesOf(round: number, figures: Figures): Life[] {
  const random = new Random(soakSeed * 65_537 + round)
  const gate = new Gate()
  return Array.from({ length: sideBySide }, (_, index) => {
    // The control goes along now and then: what the model says must be true of runc as well.
    const runtime = index > 0 && random.chance(0.25) ? 'runc' : 'kata-ts'
    const lane: Lane = { containerd, runtime, runtimeName: `io.containerd.${runtime}.v2` }
    figures.container(runtime === 'runc')
    return new Life({ stack, lane, random: random.fork(), figures, gate, round })
  })
}
