import * as sys from 'native:sys'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { fake } from '../../../native/ts/fake/sys.ts'
import { Fd } from '../../../native/ts/fd.ts'
import { Qmp } from './qmp.ts'

const greeting = '{"QMP": {"version": {"qemu": {"micro": 1, "minor": 0, "major": 10}}, "capabilities": []}}\n'

/** A QMP session and the VMM's end of its socket. */
class Peer {
  readonly qmp: Qmp
  readonly #theirs: Fd

  constructor() {
    const ends = sys.socketpair(1, 1, 0)
    if (typeof ends === 'number') throw new Error('socketpair')
    this.qmp = new Qmp(new Fd(ends[0], 'QMP'))
    this.#theirs = new Fd(ends[1], 'VMM')
  }

  say(text: string): void {
    const bytes = new TextEncoder().encode(text)
    sys.write(this.#theirs.number, bytes, 0, bytes.length)
  }

  /** The command that the session sent last. */
  async heard(): Promise<Record<string, unknown>> {
    const buffer = new Uint8Array(4096)
    let got = 0
    await vi.waitFor(() => { expect(got = sys.read(this.#theirs.number, buffer, 0, buffer.length)).toBeGreaterThan(0) })
    return JSON.parse(new TextDecoder().decode(buffer.subarray(0, got))) as Record<string, unknown>
  }

  async ready(): Promise<Qmp> {
    this.say(greeting)
    const shaking = this.qmp.handshake()
    expect(await this.heard()).toEqual({ execute: 'qmp_capabilities', id: 1 })
    this.say('{"return": {}, "id": 1}\n')
    await shaking
    return this.qmp
  }

  hangUp(): void {
    this.#theirs.close()
  }
}

describe('Qmp', () => {
  beforeEach(() => fake.reset())

  it('leaves negotiation, and knows the version', async () => {
    const qmp = await new Peer().ready()
    expect(qmp.version).toBe('10.0.1')
  })

  it('matches answers to commands by id, in any order', async () => {
    const peer = new Peer()
    const qmp = await peer.ready()
    const first = qmp.execute('query-status')
    const second = qmp.execute('stop')
    peer.say('{"return": "two", "id": 3}\n{"return": "one", "id": 2}\n')
    expect(await Promise.all([first, second])).toEqual(['one', 'two'])
  })

  it('rejects the command that failed, by name', async () => {
    const peer = new Peer()
    const qmp = await peer.ready()
    const command = qmp.execute('device_add')
    peer.say('{"id": 2, "error": {"class": "GenericError", "desc": "no bus"}}\n')
    await expect(command).rejects.toThrow('QMP device_add: GenericError: no bus')
  })

  it('gives events as they come', async () => {
    const peer = new Peer()
    const events: string[] = []
    peer.qmp.onEvent((name, data) => events.push(`${name} ${String(data.reason)}`))
    await peer.ready()
    peer.say('{"event": "SHUTDOWN", "data": {"reason": "guest-reset"}}\n')
    await vi.waitFor(() => expect(events).toEqual(['SHUTDOWN guest-reset']))
  })

  it.each([
    ['an answer to no command', '{"return": {}, "id": 99}\n'],
    ['a second answer', '{"return": {}, "id": 1}\n'],
    ['a second greeting', greeting],
    ['an error without an id', '{"error": {"class": "GenericError", "desc": "JSON parse error"}}\n'],
    ['something that is no QMP', 'HTTP/1.1 400\n'],
  ])('ends the session at %s, with every pending command rejected', async (_what, text) => {
    const peer = new Peer()
    const qmp = await peer.ready()
    const command = qmp.execute('query-status')
    peer.say(text)
    await expect(command).rejects.toThrow('QMP query-status was not answered')
    await expect(qmp.execute('stop')).rejects.toThrow()
    expect(fake.held().watches).toEqual([])
  })

  it('rejects the handshake when the VMM hangs up before its greeting', async () => {
    const peer = new Peer()
    const shaking = peer.qmp.handshake()
    peer.hangUp()
    await expect(shaking).rejects.toThrow('the VMM closed its control channel')
  })

  it('rejects what is pending when the VMM hangs up', async () => {
    const peer = new Peer()
    const qmp = await peer.ready()
    const command = qmp.execute('stop')
    peer.hangUp()
    await expect(command).rejects.toThrow('QMP stop was not answered')
  })

  it('refuses commands before the handshake', async () => {
    await expect(new Peer().qmp.execute('stop')).rejects.toThrow('before the handshake')
  })
})
