import { describe, expect, it } from 'vitest'
import { parseStreamUri } from './uri.ts'

describe('parseStreamUri', () => {
  it.each([
    ['', { scheme: 'none' }],
    ['/run/fifo/1/stdout', { scheme: 'fifo', path: '/run/fifo/1/stdout' }],
    ['fifo:///run/a%20b', { scheme: 'fifo', path: '/run/a b' }],
    ['file:///var/log/c.log', { scheme: 'file', path: '/var/log/c.log' }],
    ['binary:///usr/bin/logger?id=c1&flag', { scheme: 'binary', path: '/usr/bin/logger', arguments: ['id', 'c1', 'flag', ''] }],
    ['binary:///l?a=b%3Dc', { scheme: 'binary', path: '/l', arguments: ['a', 'b=c'] }],
  ])('%j', (text, uri) => expect(parseStreamUri(text)).toEqual(uri))

  it.each([['npipe:////./pipe/x', 'scheme npipe:// is not supported'], ['file://relative', 'names no absolute path']])('refuses %s', (text, why) => {
    expect(() => parseStreamUri(text)).toThrow(why)
  })
})
