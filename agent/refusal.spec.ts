import { describe, expect, it } from 'vitest'
import { E, SysError } from '../native/ts/errno.ts'
import { Fault } from '../native/ts/fault.ts'
import { parseProcess } from '../protocol/oci/parse.ts'
import { Code } from '../protocol/ttrpc/status.ts'
import { notFound, toRpcError } from './refusal.ts'

describe('what a failure is answered with', () => {
  it('carries the whole chain of causes', () => {
    const error = new Fault('create container c', { cause: new SysError('mount', 'proc on /proc', E.EPERM) })
    expect(toRpcError(error)).toMatchObject({ code: Code.Unknown, message: 'create container c: mount proc on /proc: EPERM (operation not permitted)' })
  })

  it.each([
    ['a refusal', () => notFound('container c does not exist'), Code.NotFound],
    ['a refusal in another error', () => new Fault('create sandbox', { cause: notFound('x') }), Code.NotFound],
    ['a wrong document', () => { try { return parseProcess('{}') } catch (error) { return error } }, Code.InvalidArgument],
    ['no memory left', () => new SysError('clone3', 'init', E.ENOMEM), Code.ResourceExhausted],
    ['anything else', () => new Error('boom'), Code.Unknown],
    ['no error at all', () => 'boom', Code.Unknown],
  ])('has the status of %s', (_what, make, code) => {
    expect(toRpcError(make()).code).toBe(code)
  })
})
