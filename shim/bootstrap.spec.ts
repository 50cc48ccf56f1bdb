import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { bootstrapAnswer, readBootstrap } from './bootstrap.ts'
import { BootstrapParams, BootstrapResult } from '../protocol/gen/bootstrap.ts'
import { Any } from '../protocol/gen/google/protobuf/any.ts'
import { Options } from '../protocol/gen/runtime-options.ts'
import { encode } from '../protocol/message.ts'

/** Bytes that containerd's own Go code made (protocol/vectors). */
function captured(name: string): Uint8Array {
  const vectors = JSON.parse(readFileSync(new URL('../protocol/vectors/messages.json', import.meta.url), 'utf8')) as { name: string; hex: string }[]
  const hex = vectors.find(vector => vector.name === name)?.hex
  if (hex === undefined) throw new Error(`no vector ${name}`)
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

const asked = { namespace: 'default', id: 'c1', ttrpcAddress: '/env.ttrpc', debug: false }
const params = { instanceId: 'c1', namespace: 'default', containerdTtrpcAddress: '/params.ttrpc' }

describe('readBootstrap', () => {
  it('answers plainly when stdin is empty (containerd 1.6)', () => {
    expect(readBootstrap({ ...asked, stdin: new Uint8Array(0) })).toEqual({ answer: 'plain', socketDir: '/run/containerd/s', ttrpcAddress: '/env.ttrpc', debug: false, configPath: '' })
  })

  it('answers plainly to runtime options, which may parse as params', () => {
    const options = encode(Any, { typeUrl: 'containerd.runc.v1.Options', value: new Uint8Array([8, 1]) })
    expect(readBootstrap({ ...asked, stdin: options }).answer).toBe('plain')
  })

  it('answers with a result to params that name this container (containerd 2.3)', () => {
    const stdin = encode(BootstrapParams, { ...params, socketDir: '/run/s', logLevel: -8 })
    expect(readBootstrap({ ...asked, stdin })).toEqual({ answer: 'result', socketDir: '/run/s', ttrpcAddress: '/params.ttrpc', debug: true, configPath: '' })
  })

  it("reads what containerd 2.3 sends: its sockets, its socket directory and that it debugs", () => {
    expect(readBootstrap({ ...asked, stdin: captured('bootstrap params') })).toEqual({
      answer: 'result', socketDir: '/run/s', ttrpcAddress: '/run/containerd/containerd.sock.ttrpc', debug: true, configPath: '/etc/x.toml',
    })
    expect(readBootstrap({ ...asked, stdin: captured('bootstrap params with an empty socket directory') })).toMatchObject({ answer: 'result', socketDir: '/run/containerd/s' })
  })

  it('takes the configuration file that runtime options name, of the kind that is meant for any runtime', () => {
    const options = (typeUrl: string) => encode(Any, { typeUrl, value: encode(Options, { configPath: '/etc/kata-ts/dev.toml' }) })
    expect(readBootstrap({ ...asked, stdin: options('runtimeoptions.v1.Options') }).configPath).toBe('/etc/kata-ts/dev.toml')
    expect(readBootstrap({ ...asked, stdin: options('containerd.runc.v1.Options') }).configPath).toBe('')
  })

  it("takes Go's own options that parse as params for what they are", () => {
    expect(readBootstrap({ ...asked, stdin: captured('options that parse as bootstrap params') }).answer).toBe('plain')
  })

  it('does not believe params of another container or namespace', () => {
    expect(readBootstrap({ ...asked, stdin: encode(BootstrapParams, { ...params, instanceId: 'c2' }) }).answer).toBe('plain')
    expect(readBootstrap({ ...asked, stdin: encode(BootstrapParams, { ...params, namespace: 'other' }) }).answer).toBe('plain')
  })

  it('takes garbage for options', () => {
    expect(readBootstrap({ ...asked, stdin: new Uint8Array([0xff, 0xff, 0xff]) }).answer).toBe('plain')
  })
})

describe('bootstrapAnswer', () => {
  it('is the address as text for containerd up to 2.2', () => {
    expect(new TextDecoder().decode(bootstrapAnswer('plain', '/run/s/x', { sandboxApi: false }))).toBe('unix:///run/s/x')
  })

  it('declares the Sandbox API, as JSON, only where it was asked for', () => {
    expect(JSON.parse(new TextDecoder().decode(bootstrapAnswer('plain', '/run/s/x', { sandboxApi: true })))).toEqual({ version: 3, address: 'unix:///run/s/x', protocol: 'ttrpc' })
    expect(BootstrapResult.decode(bootstrapAnswer('result', '/run/s/x', { sandboxApi: true }))).toMatchObject({ version: 3 })
  })

  it('is a BootstrapResult that survives the trimming of white space', () => {
    const bytes = bootstrapAnswer('result', '/run/s/x', { sandboxApi: false })
    expect(BootstrapResult.decode(bytes)).toMatchObject({ version: 2, address: 'unix:///run/s/x', protocol: 'ttrpc' })
    expect([9, 10, 11, 12, 13, 32]).not.toContain(bytes[0])
    expect([9, 10, 11, 12, 13, 32]).not.toContain(bytes.at(-1))
  })
})
