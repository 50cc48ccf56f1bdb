/** The reader of OCI documents: what is right is taken and stays as it is; what was spoilt is refused with the field's name, shortly. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseProcess, parseResources, parseSpec, SpecError } from '../../protocol/oci/parse.ts'
import { anyBytes, mutatedText, pathsOf, replaced, throwsOnly, tree } from './arbitraries.ts'
import { corpus, textOf } from './corpus.ts'
import { settings } from './settings.ts'
import { fullSpec, spec } from './oci-spec.ts'

const keys = ['root', 'path', 'process', 'user', 'uid', 'args', 'env', 'cwd', 'linux', 'namespaces', 'type', 'seccomp', 'syscalls', 'names', 'mounts', 'hooks', 'resources', 'devices', 'unified', '__proto__', 'x']
const parsers = [['parseSpec', parseSpec], ['parseProcess', parseProcess], ['parseResources', parseResources]] as const

/** The longest error there is: twenty lines of some hundred characters each. */
const longestError = 20_000

/** Read, and the same when it was written and read again; or refused in a short error. */
function judge(parse: (json: string) => object, json: string): object | undefined {
  const before = performance.now()
  let read: object | undefined
  try {
    read = parse(json)
  } catch (error) {
    if (!(error instanceof SpecError)) throw error
    expect(error.problems.length).toBeGreaterThan(0)
    expect(error.message.length).toBeLessThan(longestError)
    expect(error.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
  }
  // A pattern that backtracks without end would take longer than any machine is slow.
  expect(performance.now() - before).toBeLessThan(5_000)
  // Numbers beyond a double, which only unknown fields may hold, are null when they are written.
  if (read !== undefined) expect(parse(JSON.stringify(read))).toEqual(JSON.parse(JSON.stringify(read)))
  return read
}

describe('a correct spec', () => {
  it('is read, and stays as it is', () => {
    fc.assert(fc.property(spec, value => {
      const json = JSON.stringify(value)
      expect(parseSpec(json)).toEqual(JSON.parse(json))
    }), settings)
  })
})

describe('a spec with one wrong value', () => {
  const paths = pathsOf(fullSpec)
  const wrong = fc.oneof(fc.constantFrom<unknown>(true, -1, 1.5, 2 ** 70, 'not this', '', 'a\0b', [], {}, [[]], [{}], 'x'.repeat(5_000)), fc.json({ maxDepth: 2 }).map(json => JSON.parse(json) as unknown))

  it('is taken, or refused with the name of that field or of one beside it', () => {
    fc.assert(fc.property(fc.constantFrom(...paths), wrong, (path, value) => {
      const json = JSON.stringify(replaced(fullSpec, path, value))
      try {
        judge(parseSpec, json)
        parseSpec(json)
      } catch (error) {
        if (!(error instanceof SpecError)) throw error
        // Rules about several fields name the one that must give way: it stands in the same object, or says what it needs.
        const top = String(path[0])
        const second = path.length > 1 && typeof path[1] === 'string' ? path[1] : top
        expect(error.problems.some(problem => problem.includes(top) || problem.includes(second)), `${path.join('.')} = ${JSON.stringify(value).slice(0, 80)}: ${error.message}`).toBe(true)
      }
    }), settings)
  })
})

describe('any document', () => {
  it.each(parsers)('%s reads any JSON, or throws SpecError, shortly', (_name, parse) => {
    const some = fc.oneof(tree(keys).map(value => JSON.stringify(value)), fc.json(), fc.string(), anyBytes.map(bytes => Buffer.from(bytes).toString('latin1')))
    fc.assert(fc.property(some, json => { judge(parse, json) }), settings)
  })

  it('reads a spec that was spoilt as text, or throws SpecError', () => {
    fc.assert(fc.property(mutatedText([JSON.stringify(fullSpec)], '{}[]",:0-9eE.\\u'), json => { judge(parseSpec, json) }), settings)
  })

  it('reports what is wrong everywhere in one short error', () => {
    fc.assert(fc.property(tree(keys), value => {
      throwsOnly(SpecError, () => parseSpec(JSON.stringify({ ...fullSpec, process: value, linux: value, mounts: value, devices: value, hooks: value })))
    }), settings)
  })

  it.each(corpus('oci'))('is judged: $why', kept => {
    for (const [, parse] of parsers) judge(parse, textOf(kept))
  })
})
