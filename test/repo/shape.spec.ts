import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { sources } from './sources.ts'

const production = sources().filter(source => /^(shim|agent|protocol|native\/ts|guest-image|hack)\//.test(source.path) && !/\.(spec|d)\.ts$/.test(source.path) && !source.path.startsWith('protocol/gen/'))

function usesAny(node: ts.Node): boolean {
  return node.kind === ts.SyntaxKind.AnyKeyword || (ts.forEachChild(node, child => usesAny(child) || undefined) ?? false)
}

describe('shape of the code', () => {
  it('has no file over 500 lines', () => {
    expect(production.map(({ path, text }) => ({ path, lines: text.split('\n').length })).filter(file => file.lines > 500)).toEqual([])
  })

  it('has no `any`', () => {
    expect(production.filter(({ path, text }) => usesAny(ts.createSourceFile(path, text, ts.ScriptTarget.Latest))).map(source => source.path)).toEqual([])
  })

  it('has no default exports and no barrel files', () => {
    expect(production.filter(({ text }) => /^export default\b/m.test(text)).map(source => source.path)).toEqual([])
    expect(production.filter(({ path }) => /\/index\.ts$/.test(path)).map(source => source.path)).toEqual([])
  })

  it('uses the field’s names, not inner, manager, helper, utils or common', () => {
    expect(production.filter(({ path }) => /(^|[/-])(inner|manager|helpers?|utils?|common)([-./]|$)/i.test(path)).map(source => source.path)).toEqual([])
  })
})
