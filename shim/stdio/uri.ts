import { Fault } from '../../native/ts/fault.ts'

/** Where one stream of a process goes on the host (containerd docs, "Logging"; runtime v2, "I/O"). */
export type StreamUri =
  /** The process gets /dev/null. */
  | { scheme: 'none' }
  /** A FIFO that containerd's client made, or a plain file. */
  | { scheme: 'fifo'; path: string }
  /** A file that is appended to. */
  | { scheme: 'file'; path: string }
  /** A logger program; `arguments` are the query's keys and values, in order. */
  | { scheme: 'binary'; path: string; arguments: string[] }

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
    default:
      throw new Fault(`stdio scheme ${scheme}:// is not supported`, { fix: 'use a FIFO, file:// or binary://' })
  }
}

/** `a=1&b` → a, 1, b and an empty word: a logger is given each key and its value, in order. */
function queryWords(query: string): string[] {
  return query.split('&').filter(part => part !== '').flatMap(part => {
    const [key = '', ...value] = part.split('=')
    return [percentDecode(key), percentDecode(value.join('='))]
  })
}
