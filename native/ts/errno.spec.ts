import { describe, expect, it } from 'vitest'
import { check, checked, E, errnoName, isErrno, SysError } from './errno.ts'
import { Fault, story } from './fault.ts'

describe('SysError', () => {
  it('names call, object, errno and the fix', () => {
    const error = new SysError('mount', 'proc on /proc', E.EPERM, { fix: 'run as root' })
    expect(error.message).toBe('mount proc on /proc: EPERM (operation not permitted); run as root')
    expect(error.code).toBe('EPERM')
  })

  it('is thrown for a negative result only', () => {
    expect(check('read', 'x', 0)).toBe(0)
    expect(() => check('read', 'x', -E.EIO)).toThrow('read x: EIO')
    expect(checked<string>('getcwd', '', '/')).toBe('/')
    expect(() => checked<string>('getcwd', '', -E.ENOENT)).toThrow(SysError)
  })

  it('shows an errno it has no name for by number', () => expect(errnoName(4000)).toBe('errno 4000'))

  it('is told apart by errno', () => {
    expect(isErrno(new SysError('a', 'b', E.ENOENT), E.EEXIST, E.ENOENT)).toBe(true)
    expect(isErrno(new Error('ENOENT'), E.ENOENT)).toBe(false)
  })
})

describe('story', () => {
  it('tells every cause once, on one line', () => {
    const root = new SysError('execve', '/bin/x', E.ENOENT)
    const error = new Fault('start container c1', { cause: new Error(`init\nfailed`, { cause: root }) })
    expect(story(error)).toBe('start container c1: init failed: execve /bin/x: ENOENT (no such file or directory)')
  })

  it('ends when causes go in a circle', () => {
    const error = new Error('a')
    error.cause = error
    expect(story(error)).toBe('a')
  })
})
