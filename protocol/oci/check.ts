/**
 * Checks of parsed JSON: each looks at one value and reports what is wrong with it, and where.
 *
 * Checks are data, built once: `record(() => ({ args: needed(list(text)) }))`. A path such as `linux.seccomp.syscalls[3].names`
 * is put together only for a report, so that a correct document costs no strings.
 */

/**
 * Where a value stands: its key in the value that holds it. Checks of many values move one Place from key to key, so it
 * is good only until the check returns.
 */
export interface Place {
  readonly holder?: Place
  key: string | number
}

/** Looks at `value` and reports to `problems`. A value that passes is of the type the check was written for. */
export type Check = (value: unknown, place: Place, problems: Problems) => void

/** The document itself. */
export const root: Place = { key: '' }

/** Problems beyond these are only counted: one wrong thing at the top must not print a megabyte. */
const reportedMax = 20

/** What a document's checks found. */
export class Problems {
  readonly lines: string[] = []
  count = 0

  /** Reports `what` is wrong, and where it is written what is right: a section of the OCI runtime spec. */
  report(place: Place, what: string, section?: string): void {
    this.count++
    if (this.lines.length >= reportedMax) return
    this.lines.push(`${pathOf(place) || 'the document'}: ${what}${section === undefined ? '' : ` (${section})`}`)
  }
}

/** `linux.namespaces[2].type`; a key that is no plain name is quoted; the document itself has no holder. */
export function pathOf(place: Place): string {
  const { holder, key } = place
  if (holder === undefined) return ''
  const parent = pathOf(holder)
  if (typeof key === 'number') return `${parent}[${key}]`
  const name = /^[A-Za-z_][\w.-]*$/.test(key) ? key : JSON.stringify(cut(key))
  return parent === '' ? name : `${parent}.${name}`
}

/** The value as a message shows it: short, and on one line. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  return cut(JSON.stringify(value) ?? 'nothing')
}

function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}

/** A string without NUL, which no system call could take. */
export const text: Check = (value, place, problems) => {
  if (typeof value !== 'string') problems.report(place, `${show(value)}; must be a string`)
  else if (value.includes('\0')) problems.report(place, 'holds a NUL character; the kernel would cut the string there')
}

/** true or false. */
export const flag: Check = (value, place, problems) => {
  if (typeof value !== 'boolean') problems.report(place, `${show(value)}; must be true or false`)
}

/** A whole number from `least` to `most`. */
export function whole(least: number, most: number): Check {
  return (value, place, problems) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
      problems.report(place, `${show(value)}; must be a whole number from ${least} to ${most}`)
    }
  }
}

// The limits of 64 bits are powers of two here: a JSON number becomes a double, and 2^64-1 rounds to 2^64.
export const int64 = whole(-(2 ** 63), 2 ** 63)
export const uint64 = whole(0, 2 ** 64)
export const uint32 = whole(0, 2 ** 32 - 1)
export const uint16 = whole(0, 65535)

/** One of `allowed`. */
export function oneOf(allowed: readonly string[], section?: string): Check {
  return (value, place, problems) => {
    if (typeof value === 'string' && allowed.includes(value)) return
    problems.report(place, `${show(value)}; must be one of ${allowed.join(', ')}`, section)
  }
}

/** A string that `pattern` matches; `meaning` says in words what that is. */
export function matching(pattern: RegExp, meaning: string, section?: string): Check {
  return (value, place, problems) => {
    if (typeof value === 'string' && pattern.test(value) && !value.includes('\0')) return
    problems.report(place, `${show(value)}; must be ${meaning}`, section)
  }
}

/** A path from the root. */
export const absolutePath = matching(/^\//, 'an absolute path')

/** A list whose items all pass `item`. */
export function list(item: Check): Check {
  return (value, place, problems) => {
    if (!Array.isArray(value)) {
      problems.report(place, `${show(value)}; must be a list`)
      return
    }
    const at: Place = { holder: place, key: 0 }
    for (let i = 0; i < value.length; i++) {
      at.key = i
      item(value[i], at, problems)
    }
  }
}

/** An object with any keys, whose values all pass `item`. */
export function table(item: Check): Check {
  return (value, place, problems) => {
    if (!isObject(value)) {
      problems.report(place, `${show(value)}; must be an object`)
      return
    }
    const at: Place = { holder: place, key: '' }
    for (const key of Object.keys(value)) {
      at.key = key
      item(value[key], at, problems)
    }
  }
}

/** Marks a field of a record that must be there. */
interface Needed {
  readonly needed: Check
  readonly advice: string
}

/** A field that must be there; `advice` says what to give, for whoever left it out. */
export function needed(check: Check, advice = 'this field is required'): Needed {
  return { needed: check, advice }
}

/** The check of each field of T; TypeScript sees to it that none is forgotten. */
export type Fields<T> = { readonly [K in keyof Required<T>]: Check | Needed }

/**
 * An object with the fields of T. Fields that T does not know pass unread: the spec wants them tolerated
 * (config.md#extensibility). A field that is `null` counts as absent, as in Go, and is removed. `whole` then judges the
 * fields together; it is called only when each is right by itself. `fields` is called at the first use: most programs that
 * can read a document start without one.
 */
export function record<T extends object>(fields: () => Fields<T>, together?: (value: T, place: Place, problems: Problems) => void): Check {
  let known: [string, Check | Needed][] | undefined
  return (value, place, problems) => {
    if (!isObject(value)) {
      problems.report(place, `${show(value)}; must be an object`)
      return
    }
    const before = problems.count
    const at: Place = { holder: place, key: '' }
    known ??= Object.entries<Check | Needed>(fields())
    for (const [key, rule] of known) {
      const field = Object.hasOwn(value, key) ? value[key] : undefined
      at.key = key
      if (field !== undefined && field !== null) (typeof rule === 'function' ? rule : rule.needed)(field, at, problems)
      else if (typeof rule !== 'function') problems.report(at, `missing; ${rule.advice}`)
      else if (field === null) delete value[key]
    }
    // `value` has passed the check of every field of T.
    if (problems.count === before) together?.(value as T, place, problems)
  }
}

/** Both checks; the second only when the first found nothing. */
export function both(first: Check, second: Check): Check {
  return (value, place, problems) => {
    const before = problems.count
    first(value, place, problems)
    if (problems.count === before) second(value, place, problems)
  }
}

/** A list in which no two items have the same `key`. Only for lists that have passed their own check. */
export function distinct<T>(key: (item: T) => string, section?: string): Check {
  return (value, place, problems) => {
    const seen = new Set<string>()
    for (const [i, item] of (value as T[]).entries()) { // checked to be a list of T just before
      const name = key(item)
      if (seen.has(name)) problems.report({ holder: place, key: i }, `${show(name)} a second time; once is allowed`, section)
      seen.add(name)
    }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
