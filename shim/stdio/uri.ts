import { Fault } from '../../native/ts/fault.ts'

/** Where one stream of a process goes on the host (containerd docs, "Logging"; runtime v2, "I/O"). */
export type StreamUri =
  /** The process gets /dev/null. */
  | { scheme: 'none' }
  /** A FIFO that containerd's client made, or a plain file. */
  | { scheme: 'fifo'; path: string }
  /** A file that is appended to. */
  | { scheme: 'file'; path: string }
  /** A stream that containerd opens at the shim's own socket. */
  | { scheme: 'stream'; id: string }
  /** A logger program; `arguments` are the query's keys and values, in order. */
  | { scheme: 'binary'; path: string; arguments: string[] }

/** A task's id and the name of a stream. */
const maxStreamIdCharacters = 256

/** Decodes %XX; what is no valid escape stays as it is. */
function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text.replace(/\+/g, ' '))
  } catch {
    return text
  }
}

/** Reads a stdin, stdout or stderr field of a task request. Throws Fault for a scheme that is not served. */
export function parseStreamUri(text: string): StreamUri {
  if (text === '') return { scheme: 'none' }
  const uri = /^([a-z][a-z0-9+.-]*):\/\/([^?]*)(?:\?(.*))?$/is.exec(text)
  if (!uri) return { scheme: 'fifo', path: text }
  const [, scheme = '', path = '', query = ''] = uri
  if (!path.startsWith('/')) throw new Fault(`stdio ${JSON.stringify(text)} names no absolute path`)
  switch (scheme.toLowerCase()) {
    case 'fifo':
      return { scheme: 'fifo', path: percentDecode(path) }
    case 'file':
      return { scheme: 'file', path: percentDecode(path) }
    case 'binary':
      return { scheme: 'binary', path: percentDecode(path), arguments: queryWords(query) }
    case 'ttrpc+unix':
      return { scheme: 'stream', id: streamId(text, query) }
    default:
      throw new Fault(`stdio scheme ${scheme}:// is not supported`, { fix: 'use a FIFO, file://, binary://, or ttrpc+unix:// with a streaming_id' })
  }
}

/** The socket is this shim's, whoever else listens at the path that is told: only the id counts. */
function streamId(text: string, query: string): string {
  const id = new Map(query.split('&').map(part => part.split('=').map(percentDecode) as [string, string])).get('streaming_id')
  if (id === undefined || id === '' || id.length > maxStreamIdCharacters) throw new Fault(`stdio ${JSON.stringify(text)} has no streaming_id`)
  return id
}

/** `a=1&b` → a, 1, b and an empty word: a logger is given each key and its value, in order. */
function queryWords(query: string): string[] {
  return query.split('&').filter(part => part !== '').flatMap(part => {
    const [key = '', ...value] = part.split('=')
    return [percentDecode(key), percentDecode(value.join('='))]
  })
}
