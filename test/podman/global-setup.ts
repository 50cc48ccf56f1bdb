/** Starts podman's namespaces before the first case and takes them away after the last. */
import { execFileSync } from 'node:child_process'
import { podman } from './podman.ts'

export default function setup(): () => void {
  execFileSync(podman, ['version'], { stdio: ['ignore', 'ignore', 'inherit'] })
  return () => { execFileSync(podman, ['--down'], { stdio: ['ignore', 'ignore', 'inherit'] }) }
}
