/** runc made weak by its own options: what a fixed runc no longer does, a wrapper around it does again. */
import { chmodSync, writeFileSync } from 'node:fs'
import type { Any } from '../e2e/containerd/client.ts'
import type { Site } from './site.ts'

/** containerd.runc.v1.Options (containerd, api/types/runc/options/oci.proto): the field and its bytes. */
const noPivotRootField = 1
const binaryNameField = 6

const options = (bytes: Buffer): Any => ({ type_url: 'containerd.runc.v1.Options', value: bytes })

/** Without pivot_root the old root stays mounted below the container's. */
export const withoutPivotRoot = (): Any => options(Buffer.from([noPivotRootField << 3, 1]))

/**
 * runc behind a shell script: `script` runs before each of runc's commands with `$command` set (`create`, `start`, …) and
 * runc's arguments as `$@`, and may end by itself.
 */
export function wrapped(site: Site, script: string): Any {
  const path = `${site.directory}/runc-${Math.random().toString(36).slice(2, 8)}`
  writeFileSync(path, `#!/bin/bash
for word; do case $word in create|start|exec|run) command=$word; break ;; esac; done
${script}
exec runc "$@"
`)
  chmodSync(path, 0o755)
  if (path.length > 127) throw new Error(`${path} is longer than a protobuf length of one byte`)
  return options(Buffer.concat([Buffer.from([binaryNameField << 3 | 2, path.length]), Buffer.from(path)]))
}

/** Leaves the directory open as descriptor 3 of the container's first process. */
export const leavingOpen = (site: Site, directory: string): Any => wrapped(site, `
if [ "$command" = create ]; then
  exec 3<${directory}
  words=()
  for word; do words+=("$word"); [ "$word" != create ] || words+=(--preserve-fds 1); done
  exec runc "\${words[@]}"
fi`)
