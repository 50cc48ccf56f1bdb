/** Starts the clients' stacks before the first file and takes down, with hack/stack's own proof, those that were not up before. */
import { clients } from './client.ts'

export default function setup(): () => void {
  const started = clients.filter((client) => !client.isUp)
  for (const client of clients) client.up()
  return () => { for (const client of started) client.down() }
}
