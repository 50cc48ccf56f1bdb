import * as sys from 'native:sys'
import { AT_FDCWD } from '../../../native/ts/constants/fcntl.ts'
import type { NamespaceType } from '../../../protocol/oci/linux.ts'
import { namespaceTypes } from './types.ts'

/** The namespaces in which process `pid` is apart from us: setns(2) into one's own user namespace is an error. */
export function differingNamespaces(pid: number): ReadonlySet<NamespaceType> {
  const differ = Object.entries(namespaceTypes).filter(([, { file }]) => {
    const theirs = sys.readlinkat(AT_FDCWD, `/proc/${pid}/ns/${file}`)
    return typeof theirs === 'string' && theirs !== sys.readlinkat(AT_FDCWD, `/proc/self/ns/${file}`)
  })
  return new Set(differ.map(([type]) => type as NamespaceType)) // keys of a Record are its key type
}
