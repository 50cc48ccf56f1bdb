import { describe, expect, it } from 'vitest'
import { Program } from './engine.ts'

for (const name of ['loop', 'fork', 'files', 'sockets', 'mounts', 'privileges', 'pump', 'pump-ends', 'protocol']) {
  const program = new Program(name)
  describe(name, () => {
    it.each(program.cases())('%s', async testCase => {
      const run = await program.run(testCase)
      expect({ ...run, stdout: '' }).toEqual({ status: 0, signal: null, stdout: '', stderr: '' })
      if (run.stdout !== '') process.stdout.write(`      ${run.stdout.trimEnd().replaceAll('\n', '\n      ')}\n`)
    })
  })
}
