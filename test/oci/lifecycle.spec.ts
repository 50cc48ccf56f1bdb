import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Bundle, until } from './bundle.ts'
import { conformance } from './runtimes.ts'

conformance('lifecycle', test => {
  for (const status of [0, 1, 7, 255]) {
    test(`gives exit status ${status}`, async runtime => {
      await using bundle = new Bundle(runtime, ['sh', '-c', `exit ${status}`])
      expect(bundle.run().status).toBe(status)
      expect(bundle.leftovers()).toEqual([])
    })
  }

  test('gives 128 + signal for a process that is killed', async runtime => {
    // As pid 1 a shell cannot kill itself by a signal it has not caught: a child dies, and its status is passed on.
    await using bundle = new Bundle(runtime, ['sh', '-c', 'sh -c \'kill -TERM $$\'; exit $?'])
    expect(bundle.run().status).toBe(143)
  })

  test('carries stdin, stdout and stderr', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'cat; echo err >&2'])
    const { stdout, stderr } = bundle.run('one\ntwo\n')
    expect(stdout).toBe('one\ntwo\n')
    expect(stderr).toContain('err')
  })

  test('goes from created to running to stopped, and state says so', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'echo ran; sleep 100'])
    expect(bundle.create().status).toBe(0)
    expect(bundle.status).toBe('created')
    expect(bundle.output).toBe('')
    expect(bundle.start().status).toBe(0)
    await until('output', () => bundle.output === 'ran\n')
    expect(bundle.status).toBe('running')
    expect(bundle.invoke(['kill', bundle.id, 'KILL']).status).toBe(0)
    await until('stopped', () => bundle.status === 'stopped')
    expect(bundle.invoke(['delete', bundle.id]).status).toBe(0)
    expect(bundle.leftovers()).toEqual([])
  })

  test('has pid, bundle, id and annotations in its state', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'], spec => { spec.annotations = { 'org.example.key': 'value' } })
    bundle.create()
    const state = JSON.parse(bundle.invoke(['state', bundle.id]).stdout) as Record<string, unknown>
    expect(state).toMatchObject({ id: bundle.id, bundle: bundle.directory, pid: bundle.pid, status: 'created' })
    expect(state.annotations).toMatchObject({ 'org.example.key': 'value' })
    expect(state.ociVersion).toMatch(/^1\.\d+\.\d+/)
  })

  test('ends a created container that is never started', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.create()
    const { pid } = bundle
    expect(bundle.invoke(['delete', '--force', bundle.id]).status).toBe(0)
    await until('process is gone', () => !alive(pid))
    expect(bundle.leftovers()).toEqual([])
  })

  test('refuses to start twice', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    expect(bundle.start().status).not.toBe(0)
    expect(bundle.status).toBe('running')
  })

  test('refuses to delete a running container', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    expect(bundle.invoke(['delete', bundle.id]).status).not.toBe(0)
    expect(bundle.status).toBe('running')
  })

  test('refuses an id that is taken, and leaves its owner alone', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    expect(bundle.create().status).not.toBe(0)
    expect(bundle.status).toBe('running')
  })

  test('refuses to signal a stopped container', async runtime => {
    await using bundle = new Bundle(runtime, ['true'])
    bundle.up()
    await until('stopped', () => bundle.status === 'stopped')
    expect(bundle.invoke(['kill', bundle.id, 'TERM']).status).not.toBe(0)
  })

  test('delivers a signal to the process', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'trap "echo caught; exit 0" USR1; echo ready; while :; do usleep 10000; done'])
    bundle.up()
    await until('ready', () => bundle.output.includes('ready'))
    bundle.invoke(['kill', bundle.id, 'USR1'])
    await until('caught', () => bundle.output.includes('caught'))
    await until('stopped', () => bundle.status === 'stopped')
  })

  test('ends every process with init', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'sleep 1000 & sleep 1000 & wait'])
    bundle.up()
    await until('children', () => bundle.exec(['ps']).stdout.split('sleep').length > 2)
    bundle.invoke(['kill', bundle.id, 'KILL'])
    await until('stopped', () => bundle.status === 'stopped')
    expect(bundle.invoke(['delete', bundle.id]).status).toBe(0)
    expect(bundle.leftovers()).toEqual([])
  })

  test('pauses and resumes', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; usleep 5000; done'])
    bundle.up()
    await until('counts', () => bundle.output.length > 10)
    expect(bundle.invoke(['pause', bundle.id]).status).toBe(0)
    expect(bundle.status).toBe('paused')
    const frozen = bundle.output
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(bundle.output).toBe(frozen)
    expect(bundle.invoke(['resume', bundle.id]).status).toBe(0)
    await until('counts on', () => bundle.output.length > frozen.length)
    expect(bundle.status).toBe('running')
  })

  test('deletes a paused container by force', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    bundle.invoke(['pause', bundle.id])
    expect(bundle.invoke(['delete', '--force', bundle.id]).status).toBe(0)
    expect(bundle.leftovers()).toEqual([])
  }, { except: { crun: 'leaves the frozen process' } })

  test('lists its containers', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    bundle.up()
    const listed = JSON.parse(bundle.invoke(['list', '--format', 'json']).stdout) as { id: string; pid: number; status: string }[]
    expect(listed.map(({ id, pid, status }) => ({ id, pid, status }))).toEqual([{ id: bundle.id, pid: bundle.pid, status: 'running' }])
  })

  test('writes errors to the log as JSON', async runtime => {
    await using bundle = new Bundle(runtime, ['no-such-program'])
    const log = join(bundle.directory, 'log.json')
    writeFileSync(log, '')
    expect(bundle.invoke(['--log', log, '--log-format', 'json', 'run', '--bundle', bundle.directory, bundle.id]).status).not.toBe(0)
    const lines = readFileSync(log, 'utf8').trim().split('\n').map(line => JSON.parse(line) as { level: string; msg: string })
    expect(lines.find(({ level }) => level === 'error')?.msg).toContain('no-such-program')
  })
})

function alive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
