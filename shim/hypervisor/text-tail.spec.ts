import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LineSplitter, printable, TextTail } from './text-tail.ts'

const utf8 = new TextEncoder()

describe('TextTail', () => {
  it('keeps the last bytes, whatever the pieces', () => {
    fc.assert(fc.property(fc.array(fc.string({ unit: fc.constantFrom(...'abcdefgh') })), pieces => {
      const tail = new TextTail(10)
      for (const piece of pieces) tail.push(utf8.encode(piece))
      expect(tail.text()).toBe(pieces.join('').slice(-10))
    }))
  })

  it('gives the last lines that say something, without what would move a terminal', () => {
    const tail = new TextTail()
    tail.push(utf8.encode('first\r\n\r\n\u001b[31mKernel panic\u001b[0m\n\u001b]0;title\u0007last\u0000\n\n'))
    expect(tail.lastLines(2)).toBe('Kernel panic | last')
  })

  it('gives the first and the last lines where there are many between', () => {
    const tail = new TextTail()
    tail.push(utf8.encode('one\ntwo\n'))
    expect(tail.ends(4)).toBe('one | two')
    tail.push(utf8.encode('three\nfour\nfive\n'))
    expect(tail.ends(3)).toBe('one | two | … | five')
  })
})

describe('LineSplitter', () => {
  it('gives whole lines across pieces and the start of a line without end', () => {
    const lines: string[] = []
    const splitter = new LineSplitter(line => lines.push(line), 8)
    for (const piece of ['on', 'e\ntwo\n', '', '\n', 'a line of more than eight', ' characters\n']) splitter.push(utf8.encode(piece))
    expect(lines).toEqual(['one', 'two', 'a line o', 'f more t', 'han eigh', 't charac', 'ters'])
  })
})

describe('printable', () => {
  it('leaves text alone and takes control characters out', () => {
    expect(printable('größe\n\u0007x\u009b2J')).toBe('größe\n x 2J')
    fc.assert(fc.property(fc.string({ unit: 'binary' }), text => {
      expect(printable(text)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
    }))
  })
})
