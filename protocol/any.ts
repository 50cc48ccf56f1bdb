import type { Any } from './gen/google/protobuf/any.ts'
import { decode, encode, type MessageType } from './message.ts'

/** A message in an Any. `name` is its full name in containerd's packages, for example `containerd.events.TaskExit`. */
export function packAny<T extends object>(name: string, type: MessageType<T>, fields: Partial<T>): Any {
  return { typeUrl: name, value: encode(type, fields) }
}

/** A JSON document in an Any, as containerd sends OCI structures: `packJson(ociTypeUrl('Process'), process)`. */
export function packJson(typeUrl: string, value: unknown): Any {
  return { typeUrl, value: new TextEncoder().encode(JSON.stringify(value)) }
}

/** The type URL of an OCI structure: Spec, Process, LinuxResources, features/Features (containerd, client/client.go). */
export function ociTypeUrl(name: string): string {
  return `types.containerd.io/opencontainers/runtime-spec/1/${name}`
}

/** Whether `any` holds a message of that full name, with or without a host before it (google/protobuf/any.proto). */
export function isAny(any: Any | undefined, name: string): any is Any {
  return any !== undefined && (any.typeUrl === name || any.typeUrl.endsWith(`/${name}`))
}

/** The message in an Any; ask isAny first. Throws RpcError(InvalidArgument) when malformed. */
export function unpackAny<T>(type: MessageType<T>, any: Any): T {
  return decode(type, any.value)
}

/** The text in an Any of JSON. */
export function unpackText(any: Any): string {
  return new TextDecoder().decode(any.value)
}
