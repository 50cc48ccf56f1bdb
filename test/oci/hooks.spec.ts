import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Hook } from '../../protocol/oci/hooks.ts'
import type { State } from '../../protocol/oci/state.ts'
import { Bundle, until } from './bundle.ts'
import { conformance } from './runtimes.ts'

/** Runs on the host: appends its point and the state it was given to a log beside the bundle. */
const onHost = (point: string, directory: string): Hook => ({
  path: '/bin/sh', args: ['sh', '-c', `echo "${point} $(cat) $MARK" >> ${directory}/hooks`], env: [`MARK=${point}-env`, 'PATH=/bin:/usr/bin'],
})

/** Reads the state first: crun 1.8 dies of SIGPIPE when a hook ends before it was given it. */
const failing: Hook = { path: '/bin/sh', args: ['sh', '-c', 'cat >/dev/null; exit 1'], env: ['PATH=/bin:/usr/bin'] }

const points = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const

function rewrite(bundle: Bundle, change: (spec: { hooks?: unknown; annotations?: Record<string, string> }) => void): void {
  const path = join(bundle.directory, 'config.json')
  const spec = JSON.parse(readFileSync(path, 'utf8')) as { hooks?: unknown; annotations?: Record<string, string> }
  change(spec)
  writeFileSync(path, JSON.stringify(spec))
}

const log = (bundle: Bundle) => {
  const path = join(bundle.directory, 'hooks')
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
}

conformance('hooks', test => {
  test('run at every point, in order, with state and environment', async runtime => {
    await using bundle = new Bundle(runtime, ['sh', '-c', 'cat /started; sleep 100'])
    rewrite(bundle, spec => {
      spec.hooks = {
        ...Object.fromEntries(points.map(point => [point, [onHost(point, bundle.directory)]])),
        startContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'cat > /started; echo " $MARK" >> /started'], env: ['MARK=inside', 'PATH=/bin'] }],
      }
    })
    bundle.create()
    const atCreate = log(bundle).slice(0, 3)
    expect(atCreate.map(line => line.split(' ')[0])).toEqual(['prestart', 'createRuntime', 'createContainer'])
    for (const line of atCreate) {
      const point = line.split(' ')[0] ?? ''
      expect(line).toContain(`${point}-env`)
      const state = JSON.parse(line.slice(point.length, line.lastIndexOf('}') + 1)) as State
      expect(state).toMatchObject({ id: bundle.id, bundle: bundle.directory, status: expect.stringMatching(/^creat(ing|ed)$/) as string })
      if (point !== 'createContainer') expect(state.pid).toBe(bundle.pid)
    }
    expect(bundle.start().status).toBe(0)
    await until('startContainer', () => bundle.output.includes('inside'))
    expect(bundle.output).toContain(bundle.id)
    await until('poststart', () => log(bundle).length === 4)
    expect(log(bundle)[3]).toMatch(/^poststart .*"(running|created)"/)
    bundle.invoke(['kill', bundle.id, 'KILL'])
    await until('stopped', () => bundle.status === 'stopped')
    expect(bundle.invoke(['delete', bundle.id]).status).toBe(0)
    expect(log(bundle)[4]).toMatch(/^poststop .*"stopped"/)
  })

  test('createContainer runs in the container’s namespaces with its program from the host', async runtime => {
    await using bundle = new Bundle(runtime, ['true'])
    rewrite(bundle, spec => {
      spec.hooks = { createContainer: [{ path: '/bin/sh', args: ['sh', '-c', `readlink /proc/self/ns/uts /proc/self/ns/mnt > ${bundle.directory}/hooks`], env: ['PATH=/bin:/usr/bin'] }] }
    })
    expect(bundle.run().status).toBe(0)
    expect(log(bundle)).toHaveLength(2)
    expect(log(bundle)).not.toContain(readlinkSync('/proc/self/ns/uts'))
    expect(log(bundle)).not.toContain(readlinkSync('/proc/self/ns/mnt'))
  })

  for (const point of ['prestart', 'createRuntime', 'createContainer'] as const) {
    test(`a ${point} hook that fails ends the creation`, async runtime => {
      await using bundle = new Bundle(runtime, ['true'])
      rewrite(bundle, spec => { spec.hooks = { [point]: [failing] } })
      expect(bundle.create().status).not.toBe(0)
      expect(bundle.leftovers()).toEqual([])
    })
  }

  test('a startContainer hook that fails keeps the program from running', async runtime => {
    await using bundle = new Bundle(runtime, ['echo', 'ran'])
    rewrite(bundle, spec => { spec.hooks = { startContainer: [failing] } })
    bundle.create()
    bundle.start()
    await until('stopped', () => bundle.status === 'stopped')
    expect(bundle.output).not.toContain('ran\n')
  })

  test('a hook that takes longer than its timeout is killed, and is an error', async runtime => {
    await using bundle = new Bundle(runtime, ['true'])
    rewrite(bundle, spec => { spec.hooks = { createRuntime: [{ path: '/bin/sleep', args: ['sleep', '60'], timeout: 1 }] } })
    expect(bundle.create().status).not.toBe(0)
    expect(bundle.leftovers()).toEqual([])
  })

  test('several of one point run in their order, each with its own arguments and environment alone', async runtime => {
    await using bundle = new Bundle(runtime, ['true'])
    const hook = (mark: string): Hook => ({ path: '/bin/sh', args: [mark, '-c', `echo "$0 $MARK $HOME" >> ${bundle.directory}/hooks`], env: [`MARK=${mark}`] })
    rewrite(bundle, spec => { spec.hooks = { createRuntime: [hook('one'), hook('two')], createContainer: [hook('three'), hook('four')] } })
    expect(bundle.run().status).toBe(0)
    expect(log(bundle).map(line => line.trim())).toEqual(['one one', 'two two', 'three three', 'four four'])
  }, { except: { crun: '1.8 takes the arguments for those after the program' } })

  test('the first that fails keeps the others of its point from running', async runtime => {
    await using bundle = new Bundle(runtime, ['true'])
    rewrite(bundle, spec => { spec.hooks = { createRuntime: [onHost('first', bundle.directory), failing, onHost('last', bundle.directory)] } })
    expect(bundle.create().status).not.toBe(0)
    expect(log(bundle).map(line => line.split(' ')[0])).toEqual(['first'])
  })

  for (const reads of [true, false]) {
    test(`a state with large annotations is no obstacle to a hook that ${reads ? 'reads it whole' : 'does not read it'}`, async runtime => {
      await using bundle = new Bundle(runtime, ['true'])
      const command = reads ? `wc -c > ${bundle.directory}/hooks` : `echo 400001 > ${bundle.directory}/hooks`
      rewrite(bundle, spec => {
        spec.annotations = { large: 'x'.repeat(400_000) }
        spec.hooks = Object.fromEntries(['createRuntime', 'createContainer', 'poststart', 'poststop'].map(point => [point, [{ path: '/bin/sh', args: ['sh', '-c', command], env: ['PATH=/bin:/usr/bin'] }]]))
      })
      expect(bundle.run().status).toBe(0)
      expect(Number(log(bundle)[0])).toBeGreaterThan(400_000)
    }, { except: { crun: '1.8 now and then loses a race against a hook that ends' } })
  }

  test('a poststart hook that fails is a warning, and the next ones run', async runtime => {
    await using bundle = new Bundle(runtime, ['sleep', '100'])
    rewrite(bundle, spec => { spec.hooks = { poststart: [failing, onHost('second', bundle.directory)] } })
    bundle.up()
    await until('second', () => log(bundle).length === 1)
    expect(bundle.status).toBe('running')
  }, { except: { runc: 'kills the container, which only version 1.3 of the spec demands' } })

  test('a poststop hook that fails does not keep the container', async runtime => {
    await using bundle = new Bundle(runtime, ['true'])
    rewrite(bundle, spec => { spec.hooks = { poststop: [failing] } })
    bundle.up()
    await until('stopped', () => bundle.status === 'stopped')
    expect(bundle.invoke(['delete', bundle.id]).status).toBe(0)
    expect(bundle.leftovers()).toEqual([])
  })
})
