/**
 * Puts codecs and service definitions behind the types that ts-proto wrote: `codecs.ts DESCRIPTORS DIRECTORY`.
 * DESCRIPTORS is protoc's --descriptor_set_out of the same files. protocol/codec.ts says how the codecs' text reads.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fromBinary } from '@bufbuild/protobuf'
import {
  type DescriptorProto, type FieldDescriptorProto, FieldDescriptorProto_Label as Label, FieldDescriptorProto_Type as Type,
  type FileDescriptorProto, FileDescriptorSetSchema, type ServiceDescriptorProto,
} from '@bufbuild/protobuf/wkt'

const letters = new Map<Type, string>([
  [Type.STRING, 's'], [Type.BYTES, 'b'], [Type.BOOL, 't'], [Type.UINT32, 'u'], [Type.INT32, 'i'], [Type.ENUM, 'i'],
  [Type.UINT64, 'U'], [Type.INT64, 'I'], [Type.DOUBLE, 'd'],
])

/** A message with the name that ts-proto gives it, and where it is. */
interface Message {
  name: string
  file: FileDescriptorProto
  descriptor: DescriptorProto
}

/** All messages by full name, as fields refer to them: `.containerd.types.Mount`. */
const messages = new Map<string, Message>()

function collect(file: FileDescriptorProto, scope: string, prefix: string, descriptors: readonly DescriptorProto[]): void {
  for (const descriptor of descriptors) {
    const name = prefix + descriptor.name
    messages.set(`${scope}.${descriptor.name}`, { name, file, descriptor })
    collect(file, `${scope}.${descriptor.name}`, `${name}_`, descriptor.nestedType)
  }
}

function messageOf(typeName: string): Message {
  const message = messages.get(typeName)
  if (message === undefined) throw new Error(`no message ${typeName}`)
  return message
}

/** The names that a file takes from others, by file. */
class Imports {
  readonly #names = new Map<string, Set<string>>()

  constructor(private readonly file: FileDescriptorProto) {}

  /** The name of a message, imported when it is another file's. */
  use({ name, file }: Message): string {
    if (file.name !== this.file.name) this.add(modulePath(this.file, file.name.replace(/\.proto$/, '.ts')), name)
    return name
  }

  add(path: string, name: string): void {
    const names = this.#names.get(path) ?? new Set()
    this.#names.set(path, names.add(name))
  }

  lines(): string {
    return [...this.#names].sort().map(([path, names]) => `import { ${[...names].sort().join(', ')} } from "${path}";\n`).join('')
  }
}

/** As a generated file imports `target`, which is named from the directory of all of them. */
function modulePath(file: FileDescriptorProto, target: string): string {
  const path = relative(dirname(file.name), target)
  return path.startsWith('.') ? path : `./${path}`
}

function fieldText(message: Message, field: FieldDescriptorProto, refer: (to: Message) => number): string {
  const where = `${message.name}.${field.name}`
  let mark = field.label === Label.REPEATED ? '*' : field.proto3Optional ? '?' : ''
  if (field.oneofIndex !== undefined && !field.proto3Optional && isInOneof(field)) mark = `${message.descriptor.oneofDecl[field.oneofIndex]?.name}|`
  let valued = field
  if (field.type === Type.MESSAGE && messageOf(field.typeName).descriptor.options?.mapEntry) {
    const [key, value] = messageOf(field.typeName).descriptor.field
    if (key?.type !== Type.STRING || value === undefined) throw new Error(`${where}: only maps from strings are supported`)
    valued = value
    mark = '%'
  }
  const letter = valued.type === Type.MESSAGE ? `m${refer(messageOf(valued.typeName))}` : letters.get(valued.type)
  if (letter === undefined) throw new Error(`${where}: type ${Type[valued.type]} is not supported`)
  return `${field.number} ${field.jsonName} ${mark}${letter}`
}

/** oneofIndex is 0 both for the first oneof and for none; only its presence tells. */
function isInOneof(field: FieldDescriptorProto): boolean {
  return Object.hasOwn(field, 'oneofIndex')
}

function codecText(message: Message, imports: Imports): string {
  const references: Message[] = []
  const refer = (to: Message) => {
    if (!references.includes(to)) references.push(to)
    return references.indexOf(to)
  }
  const fields = message.descriptor.field.map(field => fieldText(message, field, refer)).join(',')
  const codecs = references.length === 0 ? '' : `, () => [${references.map(to => imports.use(to)).join(', ')}]`
  return `export const ${message.name}: Codec<${message.name}> = /* @__PURE__ */ new Codec<${message.name}>("${fields}"${codecs});\n`
}

function serviceText(file: FileDescriptorProto, service: ServiceDescriptorProto, imports: Imports): string {
  const methods = service.method.map(method => {
    const [request, response] = [method.inputType, method.outputType].map(type => imports.use(messageOf(type)))
    const key = `${method.name.charAt(0).toLowerCase()}${method.name.slice(1)}`
    return `    ${key}: { name: "${method.name}", requestType: ${request}, requestStream: ${method.clientStreaming}, responseType: ${response}, responseStream: ${method.serverStreaming} },\n`
  })
  const name = `${service.name}Definition`
  return `export const ${name} = {\n  name: "${service.name}",\n  fullName: "${file.package}.${service.name}",\n  methods: {\n${methods.join('')}  },\n} as const;\n\nexport type ${name} = typeof ${name};\n`
}

/** ts-proto spells names by rules of its own: each field must be in the type under the name that the codec uses. */
function requireNames(types: string, { name, descriptor }: Message): void {
  const declared = new RegExp(`^export interface ${name} \\{\\n([^]*?)^\\}`, 'm').exec(types)?.[1] ?? ''
  for (const field of descriptor.field) {
    const isMember = declared.includes(`$case: "${field.jsonName}"`)
    if (!isMember && !new RegExp(`^  ${field.jsonName}\\??:`, 'm').test(declared)) throw new Error(`${name} has no field ${field.jsonName} in ts-proto's types`)
  }
}

function generate(file: FileDescriptorProto, directory: string): void {
  const path = join(directory, file.name.replace(/\.proto$/, '.ts'))
  const [header = '', ...rest] = readFileSync(path, 'utf8').split(/(?=^export )/m)
  const imports = new Imports(file)
  // Types that ts-proto imports are imported as values too now: each has a codec, or is an enum's constants.
  for (const [, names = '', from = ''] of header.matchAll(/^import type \{ (.*) \} from "(.*)";$/gm)) {
    for (const name of names.split(', ')) imports.add(from, name)
  }
  const types = rest.join('')
  const own = [...messages.values()].filter(message => message.file === file && !message.descriptor.options?.mapEntry)
  for (const message of own) requireNames(types, message)
  const codecs = own.map(message => codecText(message, imports)).join('')
  const services = file.service.map(service => serviceText(file, service, imports)).join('\n')
  if (own.length > 0) imports.add(modulePath(file, '../codec.ts'), 'Codec')
  const comment = header.replace(/^import .*\n/gm, '').trimEnd()
  writeFileSync(path, `${comment}\n${imports.lines()}\n${types}\n${codecs}\n${services}`)
}

const [descriptors, directory] = process.argv.slice(2)
if (descriptors === undefined || directory === undefined) throw new Error('usage: codecs.ts DESCRIPTORS DIRECTORY')
const { file: files } = fromBinary(FileDescriptorSetSchema, readFileSync(descriptors))
for (const file of files) collect(file, file.package === '' ? '' : `.${file.package}`, '', file.messageType)
for (const file of files) generate(file, directory)
