/** Starts the cluster before the first file and takes down, with hack/stack's own proof, what was not up before. */
import { Cluster } from './cluster.ts'

export default function setup(): () => void {
  const wasUp = Cluster.isUp()
  Cluster.up()
  return () => { if (!wasUp) Cluster.down() }
}
