/** The oracle: programs whose output, exit status and end the model knows before they run. */
import { randomBytes } from 'node:crypto'
import type { Random } from './random.ts'

export interface Errand {
  name: string
  script: string
  /** What is written to its standard input, which is then closed. */
  input?: Buffer
  terminal?: boolean
  /** Sent once it has written `ready`. */
  signal?: number
  status: number
  stdout: Buffer
  stderr: Buffer
}

const text = (value: string): Buffer => Buffer.from(value)
const none = text('')
const seq = (first: number, last: number): string => Array.from({ length: last - first + 1 }, (_, index) => `${first + index}\n`).join('')

const kinds: Record<string, (random: Random) => Errand> = {
  short(random) {
    const [status, word] = [random.between(0, 255), `word ${random.between(0, 1e9)}`]
    return { name: 'short', script: `echo ${word}; echo ${word} >&2; exit ${status}`, status, stdout: text(`${word}\n`), stderr: text(`${word}\n`) }
  },
  silent(random) {
    const status = random.between(0, 255)
    return { name: 'silent', script: `exit ${status}`, status, stdout: none, stderr: none }
  },
  lines(random) {
    const [first, many, status] = [random.between(1, 99_999), random.between(1, 20_000), random.pick([0, 0, 3])]
    const lines = seq(first, first + many)
    return { name: 'lines', script: `seq ${first} ${first + many}; seq ${first} ${first + 9} >&2; exit ${status}`, status, stdout: text(lines), stderr: text(seq(first, first + 9)) }
  },
  /** Large output: a block that the guest makes once, with a number before each copy. */
  blocks(random) {
    const [times, first] = [random.between(4, 120), random.between(10_000, 90_000)]
    const block = seq(first, first + 9_999)
    const script = `b=/run/b$$; seq ${first} ${first + 9_999} >$b; i=0; while [ $i -lt ${times} ]; do echo block $i; cat $b; i=$((i+1)); done; rm $b`
    return { name: 'blocks', script, status: 0, stdout: text(Array.from({ length: times }, (_, index) => `block ${index}\n${block}`).join('')), stderr: none }
  },
  slow(random) {
    const [times, status] = [random.between(3, 25), random.between(0, 255)]
    const lines = Array.from({ length: times }, (_, index) => `tick ${index}\n`).join('')
    return { name: 'slow', script: `i=0; while [ $i -lt ${times} ]; do echo tick $i; sleep 0.1; i=$((i+1)); done; exit ${status}`, status, stdout: text(lines), stderr: none }
  },
  input(random) {
    const [bytes, status] = [randomBytes(random.between(0, random.pick([10, 5_000, 600_000]))), random.between(0, 255)]
    return { name: 'input', script: `cat; exit ${status}`, input: bytes, status, stdout: bytes, stderr: none }
  },
  killed(random) {
    const signal = random.pick([9, 15, 1, 2, 10])
    return { name: 'killed', script: 'echo ready; exec sleep 1000', signal, status: 128 + signal, stdout: text('ready\n'), stderr: none }
  },
  trapped(random) {
    const status = random.between(0, 255)
    return { name: 'trapped', script: `trap 'echo caught; exit ${status}' TERM; echo ready; while :; do sleep 0.05; done`, signal: 15, status, stdout: text('ready\ncaught\n'), stderr: none }
  },
  suicide(random) {
    const signal = random.pick([6, 9, 11, 15])
    return { name: 'suicide', script: `echo bye; kill -${signal} $$`, status: 128 + signal, stdout: text('bye\n'), stderr: none }
  },
  terminal(random) {
    const [many, status] = [random.between(1, 3_000), random.between(0, 255)]
    return { name: 'terminal', script: `seq 1 ${many}; exit ${status}`, terminal: true, status, stdout: text(seq(1, many).replaceAll('\n', '\r\n')), stderr: none }
  },
}

const weights = { short: 6, silent: 2, lines: 5, blocks: 3, slow: 3, input: 5, killed: 3, trapped: 2, suicide: 2, terminal: 2 }

export function randomErrand(random: Random): Errand {
  const make = kinds[random.weighted(weights)]
  if (make === undefined) throw new Error('an errand without a weight')
  return make(random)
}

/** One that can end by itself as the first process of its PID namespace, for which signals without a handler mean nothing. */
export function randomInitErrand(random: Random): Errand {
  for (;;) {
    const errand = randomErrand(random)
    if (!['killed', 'suicide', 'terminal'].includes(errand.name)) return errand
  }
}

/** One that runs long enough for a fault to meet it. */
export function longErrand(random: Random): Errand {
  const make = kinds[random.pick(['slow', 'blocks', 'lines', 'input'])]
  if (make === undefined) throw new Error('an errand without a kind')
  return make(random)
}
