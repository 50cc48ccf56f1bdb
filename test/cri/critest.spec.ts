/**
 * Every spec of critest that passes with runc passes with kata-ts, on each containerd, but for the exceptions, which
 * have their reasons. runc is the control: what fails with it here says nothing about kata-ts.
 */
import { existsSync, readdirSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { expectNothingLeft, takeInventory } from '../e2e/leaks.ts'
import { chosenVersions } from '../e2e/matrix.ts'
import { Stack, whyNoKataTs } from '../e2e/stack.ts'
import { keepLog, runCritest } from './critest.ts'
import type { SpecResult } from './critest.ts'
import { exceptions } from './exceptions.ts'

const missing = whyNoKataTs()
if (missing !== undefined) throw new Error(missing)

for (const version of chosenVersions()) {
  const control = runCritest(version, 'runc')
  const stack = Stack.open(version)
  const before = takeInventory(stack)
  const networkBefore = networkOf(stack)
  const results = runCritest(version, 'kata-ts')
  keepLog(stack)
  const expected = [...control].filter(([, spec]) => spec.state === 'passed').map(([name]) => name)

  describe(`critest on containerd ${version}`, () => {
    afterAll(() => {
      stack.client.close()
      console.log(`critest on containerd ${version}: runc ${count(control)}; kata-ts ${count(results)}`)
    })
    it.each(expected.filter((name) => !(name in exceptions)))('%s', (name) => {
      expect(results.get(name)).toMatchObject({ state: 'passed' })
    })
    it.each(expected.filter((name) => name in exceptions).map((name) => [name, exceptions[name]]))(
      'an exception: %s (%s)', (name) => {
        expect(results.get(name)?.state, 'it passes: take it off the list of exceptions').not.toBe('passed')
      })
    it('leaves nothing behind', async () => {
      await expectNothingLeft(stack, before)
      expect(networkOf(stack)).toEqual(networkBefore)
    })
  })
}

/** Network namespaces of pods, and addresses that are given out. */
function networkOf(stack: Stack): string[] {
  return ['/run/netns', '/var/lib/cni/networks/pods'].flatMap((path) => {
    const directory = stack.inside(path)
    return existsSync(directory) ? readdirSync(directory).filter((name) => !/^(lock|last_reserved_ip.*)$/.test(name)) : []
  })
}

function count(results: ReadonlyMap<string, SpecResult>): string {
  const of = (state: SpecResult['state']): number => [...results.values()].filter((spec) => spec.state === state).length
  return `${of('passed')} passed, ${of('failed')} failed, ${of('skipped')} skipped`
}
