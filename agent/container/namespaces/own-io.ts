import * as sys from 'native:sys'
import { AT_EMPTY_PATH } from '../../../native/ts/constants/fcntl.ts'
import { S_IFIFO, S_IFMT } from '../../../native/ts/constants/stat.ts'
import { check, checked, E } from '../../../native/ts/errno.ts'
import type { LinuxIdMapping } from '../../../protocol/oci/linux.ts'
import type { User } from '../../../protocol/oci/process.ts'
import type { Spec } from '../../../protocol/oci/spec.ts'
import type { ProcessIo } from '../options.ts'

/**
 * Gives the pipes of a process (borrowed) to its user as the user namespace maps him, so that it can open /dev/stdout again. From inside
 * nobody may: an owner without a place in the namespace cannot be changed there. Files that a client passed stay whose they are.
 */
export function ownPipes(io: ProcessIo, user: User, { uidMappings = [], gidMappings = [] }: NonNullable<Spec['linux']>): void {
  const [uid, gid] = [outside(user.uid, uidMappings), outside(user.gid, gidMappings)]
  if (io.terminal || uid === undefined || gid === undefined) return
  for (const fd of [io.stdin, io.stdout, io.stderr]) {
    const { mode } = checked('statx', fd.what, sys.statx(fd.number, '', AT_EMPTY_PATH))
    if ((mode & S_IFMT) !== S_IFIFO) continue
    const given = sys.fchownat(fd.number, '', uid, gid, AT_EMPTY_PATH)
    // A user without rights on the host gives nothing away; what it may open itself, its container may, too.
    if (given !== -E.EPERM) check('chown', fd.what, given)
  }
}

function outside(id: number, mappings: readonly LinuxIdMapping[]): number | undefined {
  const found = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size)
  return found && found.hostID + (id - found.containerID)
}
