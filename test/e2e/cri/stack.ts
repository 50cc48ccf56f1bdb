/** A stack with what a Kubernetes node has, spoken to as kubelet does. */
import { execFileSync } from 'node:child_process'
import { checkout, type Stack } from '../stack.ts'
import { CriClient } from './client.ts'
import { podImage } from './pod.ts'

/** Gives the stack CRI, where it has none yet, and the image that pods of tests run. */
export async function openCri(stack: Stack): Promise<CriClient> {
  execFileSync(`${checkout}/hack/stack`, ['up', '--cri', '--containerd', stack.version], { stdio: ['ignore', 'ignore', 'pipe'] })
  const cri = new CriClient(`${stack.directory}/containerd.sock`)
  await cri.call('PullImage', { image: { image: podImage } })
  return cri
}
