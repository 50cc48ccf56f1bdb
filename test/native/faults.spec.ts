import { describe, expect, it } from 'vitest'
import { Program } from './engine.ts'

const program = new Program('faults')

/** Where a function of programs/faults.ts stands in a mapped stack. */
const at = (name: string): RegExp => new RegExp(`at ${name} \\(test/native/programs/faults\\.ts:\\d+:\\d+\\)`)

describe('a program that goes wrong says so and ends with status 70', () => {
  it.each([
    ['rejection', /^faults\[\d+\]: unhandled rejection: Error: thrown deep\n/, at('deepThrow')],
    ['cause', /unhandled rejection: Error: outside\n[^]*\ncaused by: TypeError: inside\n/, at('cause')],
    ['callback', /: uncaught exception: Error: thrown deep\n/, at('deepThrow')],
    ['no error', /: unhandled rejection: only text\n/, /text/],
    ['memory', /out of memory/, /memory/],
  ])('%s', async (fault, message, stack) => {
    const run = await program.run(fault)
    expect(run.status).toBe(70)
    expect(run.stderr).toMatch(message)
    expect(run.stderr).toMatch(stack)
  })

  it('the watchdog aborts a callback that does not end, and not one that waits', async () => {
    const run = await program.run('watchdog')
    expect(run).toMatchObject({ status: 70, stdout: 'waiting is no work\n' })
    expect(run.stderr).toMatch(/watchdog: Error: one callback ran longer than 30 ms\n/)
    // The innermost function is known by name only: it did not store its position before it was interrupted.
    expect(run.stderr).toMatch(/at spin [^]*at watchdog \(test\/native\/programs\/faults\.ts:\d+:\d+\)/)
  })

  it('the watchdog cannot be caught', async () => {
    expect(await program.run('watchdog in a job')).toMatchObject({ status: 70, stdout: '' })
  })
})

it('the last words of a daemon go to its log, as one line of JSON', async () => {
  const run = await program.run('watchdog of a daemon')
  expect(run).toMatchObject({ status: 70, stderr: '' })
  const line = JSON.parse(run.stdout) as { level: string; msg: string }
  expect(line.level).toBe('fatal')
  expect(line.msg).toMatch(/^faults\[\d+\]: watchdog: Error: one callback ran longer than 20 ms\n +at spin/)
})

it('an exception of a callback goes to the hook, and the process goes on', async () => {
  expect(await program.run('callback with a hook')).toEqual({ status: 0, signal: null, stdout: 'hook: Error: thrown deep\ngoes on\n', stderr: '' })
})

it('a dynamic import is loaded once, when it is asked for, and its stack is mapped too', async () => {
  const run = await program.run('late import')
  expect(run).toMatchObject({ status: 70, stdout: 'before\nloaded late\ntrue\n' })
  expect(run.stderr).toMatch(/at throwLate \(test\/native\/programs\/late\.ts:7:\d+\)\n +at late import \(test\/native\/programs\/faults\.ts/)
})

it('the watchdog leaves a forked child alone', async () => {
  expect(await program.run('watchdog of a child')).toMatchObject({ status: 0, stdout: 'child 0\n', stderr: '' })
})

it('out of memory can be caught, and the process goes on', async () => {
  const run = await program.run('memory caught')
  expect(run).toMatchObject({ status: 0, stderr: '' })
  expect(run.stdout).toMatch(/out of memory\n1000 more\n/)
})

it('endless recursion is an error, not a crash', async () => {
  const run = await program.run('recursion')
  expect(run).toMatchObject({ status: 0, stdout: expect.stringMatching(/Maximum call stack size exceeded|stack overflow/) as string })
})

it('a program with nothing left to do ends with status 0', async () => {
  expect(await program.run('nothing')).toEqual({ status: 0, signal: null, stdout: '', stderr: '' })
})
