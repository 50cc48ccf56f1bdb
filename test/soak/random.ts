/** Choices that a seed repeats (mulberry32). */
export class Random {
  #state: number

  constructor(readonly seed: number) { this.#state = seed >>> 0 }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer, both ends included. */
  between(min: number, max: number): number { return min + Math.floor(this.next() * (max - min + 1)) }

  chance(share: number): boolean { return this.next() < share }

  pick<Value>(values: readonly Value[]): Value {
    const value = values[this.between(0, values.length - 1)]
    if (value === undefined) throw new Error('nothing to pick from')
    return value
  }

  /** The name of an entry, as often as its weight says. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const names = Object.keys(weights) as Name[] // the record's own keys
    let left = this.next() * names.reduce((sum, name) => sum + weights[name], 0)
    for (const name of names) if ((left -= weights[name]) < 0) return name
    return this.pick(names)
  }

  /** A generator of its own, so that what one worker does never changes another's choices. */
  fork(): Random { return new Random(this.between(0, 0xffff_ffff)) }
}
