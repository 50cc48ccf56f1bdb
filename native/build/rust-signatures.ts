/** Reads the functions and structs that native/src/sys declares by its macros: sys_functions!, js_output!, js_input!. */

export interface Parameter {
  name: string
  rustType: string
}

export interface NativeFunction {
  kind: 'function'
  docs: string[]
  name: string
  parameters: Parameter[]
  /** undefined: returns nothing. */
  result: string | undefined
}

export interface NativeStruct {
  kind: 'struct'
  docs: string[]
  name: string
  fields: { docs: string[]; name: string; rustType: string }[]
}

export interface NativeSection {
  title: string
  items: (NativeFunction | NativeStruct)[]
}

const functionHead = /^ {4}fn \w+ as "(\w+)"\((.*)\)(?: -> (.+))? \{$/
const structHead = /^ {4}struct (\w+) \{$/
const field = /^ {8}\w+ as "(\w+)": (.+),$/
const docLine = /^ *\/\/\/ ?(.*)$/
const macroHead = /^(sys_functions|js_output|js_input)! \{$/

/** Parses one file. Throws when a line inside a macro looks like a declaration and is none it can read. */
export function parseSection(path: string, text: string): NativeSection {
  const lines = text.split('\n')
  const title = /^\/\/! (.*?)\.?$/.exec(lines[0] ?? '')?.[1]?.split('. ')[0]
  if (title === undefined) throw new Error(`${path}: the first line must be //! and the section's title`)
  const items: NativeSection['items'] = []
  let docs: string[] = []
  let inMacro = false
  let struct: NativeStruct | undefined
  lines.forEach((line, index) => {
    if (macroHead.test(line)) inMacro = true
    else if (line === '}') inMacro = false
    if (!inMacro) return
    const doc = docLine.exec(line)
    if (doc) {
      docs.push(doc[1] ?? '')
      return
    }
    const found = declaration(line, docs, struct)
    if (found === 'unreadable') throw new Error(`${path}:${index + 1}: cannot read ${line.trim()}`)
    if (found) {
      struct = found.kind === 'struct' ? found : undefined
      items.push(found)
    }
    docs = []
  })
  return { title, items }
}

/** What a line declares; a field is added to the struct it is in. */
function declaration(line: string, docs: string[], struct: NativeStruct | undefined): NativeFunction | NativeStruct | 'unreadable' | undefined {
  const [, structName] = structHead.exec(line) ?? []
  if (structName !== undefined) return { kind: 'struct', docs, name: structName, fields: [] }
  const [, fieldName, rustType] = field.exec(line) ?? []
  if (fieldName !== undefined && rustType !== undefined) {
    struct?.fields.push({ docs, name: fieldName, rustType })
    return undefined
  }
  const [, name, parameters, result] = functionHead.exec(line) ?? []
  if (name !== undefined) return { kind: 'function', docs, name, parameters: parseParameters(parameters ?? ''), result }
  return /^ {4}fn /.test(line) ? 'unreadable' : undefined
}

function parseParameters(text: string): Parameter[] {
  if (text.trim() === '') return []
  return text.split(/, (?=\w+(?:#\w+)?: )/).map(part => {
    const [name = '', rustType = ''] = part.split(/: (.*)/)
    return { name: camelCase(name.replace('r#', '')), rustType }
  })
}

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}
