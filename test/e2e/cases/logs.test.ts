import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Container } from '../container.ts'
import { temporaryDirectory } from '../directory.ts'
import { forEachLane } from '../matrix.ts'
import { Stack } from '../stack.ts'

forEachLane('log URIs', (lane) => {
  let stack: Stack
  beforeAll(() => { stack = Stack.open(lane.containerd) })
  afterAll(() => stack.client.close())

  it('writes both outputs to a file:// that outlives the container', async () => {
    const file = `${temporaryDirectory()}/log`
    const container = await Container.create(stack, lane, { args: ['sh', '-c', 'echo one; echo two >&2; echo three'], logUri: `file://${file}` })
    await container.start()
    expect(await container.wait()).toBe(0)
    await container.deleteTask()
    expect(readFileSync(file, 'utf8').split('\n').sort()).toEqual(['', 'one', 'three', 'two'])
  })

  it('runs the logging program of binary:// with both streams, its arguments and the container\'s name', async () => {
    const path = temporaryDirectory()
    const program = `${path}/logger`
    // The logger's contract: stdout is fd 3, stderr fd 4, closing fd 5 says it is ready. TERM comes with the end of the streams.
    writeFileSync(program, `#!/bin/sh
trap '' TERM
exec 5>&-
echo "$CONTAINER_ID $CONTAINER_NAMESPACE $*" >${path}/who
cat <&4 >${path}/err & cat <&3 >${path}/out; wait
touch ${path}/done
`)
    chmodSync(program, 0o755)
    const container = await Container.create(stack, lane, { args: ['sh', '-c', 'echo to out; echo to err >&2'], logUri: `binary://${program}?--key=value` })
    await container.start()
    expect(await container.wait()).toBe(0)
    await container.deleteTask()
    await expect.poll(() => existsSync(`${path}/done`), { timeout: 20_000 }).toBe(true)
    expect(readFileSync(`${path}/out`, 'utf8')).toBe('to out\n')
    expect(readFileSync(`${path}/err`, 'utf8')).toBe('to err\n')
    expect(readFileSync(`${path}/who`, 'utf8')).toMatch(new RegExp(`^${container.containerId} default .*--key`))
  })
})
