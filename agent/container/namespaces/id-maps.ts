import { writeKernelFile } from '../../../native/ts/file.ts'
import type { LinuxIdMapping } from '../../../protocol/oci/linux.ts'

/** Lines of /proc/<pid>/uid_map: inside, outside, length (user_namespaces(7)). */
export function mapText(mappings: readonly LinuxIdMapping[]): string {
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('')
}

/** Gives the new user namespace of process `pid` its id maps. Each file takes one write(2) in its life. */
export function writeIdMaps(pid: number, uids: readonly LinuxIdMapping[], gids: readonly LinuxIdMapping[]): void {
  writeKernelFile(`/proc/${pid}/uid_map`, mapText(uids))
  writeKernelFile(`/proc/${pid}/gid_map`, mapText(gids))
}
